"""`marsseg compare`: compare runs by a score."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..conventions import HEADLINE
from ..errors import RequestError, RunError
from ..files.atomic import atomic_write, refuse_existing, require_parent, write_bytes
from ..files.text import encode_text
from .completion import fixed, metrics
from .output import print_json, print_table, print_text, say, warn

if TYPE_CHECKING:
    from ..experiments.comparison import Comparison, Difference


def compare(
    runs: Annotated[
        list[Path], typer.Argument(help="Run folders, or folders that hold runs and series.", metavar="RUN…")
    ],
    by: Annotated[
        str,
        typer.Option(
            help="The metric to rank by: dice, accuracy, iou_soil, …; see `marsseg list metric`.",
            metavar="METRIC",
            autocompletion=metrics,
        ),
    ] = HEADLINE,
    subset: Annotated[
        str,
        typer.Option(
            help="The subset whose scores are compared: test or validation.", autocompletion=fixed("test", "validation")
        ),
    ] = "test",
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    csv: Annotated[
        Path | None, typer.Option(help="Write a table of all runs with all their metrics.", metavar="FILE.csv")
    ] = None,
    figure: Annotated[
        Path | None, typer.Option(help="Draw the runs, their means and the differences.", metavar="FILE.png")
    ] = None,
) -> None:
    """Rank runs by a score. Show how their plans differ, and the paired differences to the best group.

    Runs whose plans differ only in seed and fold form one group. `marsseg compare runs` compares all runs in runs/.
    A run that cannot be read is listed with the reason; the exit code is then 1.
    """
    for option, path in (("csv", csv), ("figure", figure)):
        if path is not None:
            _check_target(path, option, ".csv" if option == "csv" else ".png")
    from ..experiments.comparison import compare_runs

    comparison = compare_runs(runs, by=by, subset=subset)
    if csv is not None:
        from ..experiments.table import to_csv

        write_bytes(csv, encode_text(to_csv(comparison)))
        say(f"Table written: {csv}")
    if figure is not None:
        from ..figures.comparison import comparison_figure

        with atomic_write(figure) as temporary:
            comparison_figure(comparison, temporary)
        say(f"Figure written: {figure}")
    if json:
        print_json(**comparison.to_json())
    else:
        _print_comparison(comparison)
    if comparison.unreadable:
        warn(f'{len(comparison.unreadable)} of the runs could not be read: the reasons are under "not compared".')
        raise typer.Exit(RunError.exit_code)


def _check_target(path: Path, option: str, suffix: str) -> None:
    if path.suffix != suffix:
        raise RequestError(f"The file name '{path}' does not end in {suffix}.", where=f"--{option}")
    refuse_existing(path, f"--{option}")
    require_parent(path, f"--{option}")


def _print_comparison(comparison: Comparison) -> None:
    headers = (
        "rank",
        "group",
        f"{comparison.subset} {comparison.by}",
        "n",
        "to the best",
        "95 % interval",
        "pairs",
        "runs",
    )
    rows = []
    for group in comparison.groups:
        rank = "–" if group.rank is None else str(group.rank)
        names = " ".join(str(run.path) for run in group.runs)
        rows.append((rank, group.label, str(group.spread), str(group.spread.n), *_cells(group.difference), names))
    print_table(headers, rows, right=("n", "to the best", "pairs"), names=3)
    if comparison.differing:
        print_text()
        settings = [(name, *values) for name, values in comparison.differing.items()]
        print_table(("setting that differs", *(group.label for group in comparison.groups)), settings)
    if transductive := [group.label for group in comparison.groups if group.transductive]:
        warn(
            f"Transductive: {', '.join(transductive)}. These runs learned from images of the test subset, without "
            "their labels; their scores do not hold for new images."
        )
    if "training.decoding" not in comparison.differing and comparison.groups[0].decoding != "argmax":
        print_text()
        print_text(f"All scores: decoding {comparison.groups[0].decoding}")
    if comparison.skipped:
        print_text()
        print_table(("not compared", "reason"), [(str(path), reason) for path, reason in comparison.skipped])
    if comparison.other_data:
        print_text()
        print_table(("not ranked", "scored on"), [(str(path), reason) for path, reason in comparison.other_data])
        warn("Scores on different items cannot be compared: the groups of the runs in the last table have no rank.")


def _cells(difference: Difference | None) -> tuple[str, str, str]:
    if difference is None:
        return "", "", ""
    pairs = str(difference.pairs)
    if difference.mean is None:
        return "", "no run with the same seed, fold and items", pairs
    mean = f"{difference.mean:+.4f}"
    if difference.low is None or difference.high is None:
        return mean, "needs at least two pairs", pairs
    return mean, f"{difference.low:+.4f} to {difference.high:+.4f}", pairs
