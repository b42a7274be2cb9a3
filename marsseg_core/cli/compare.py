"""`marsseg compare`: runs against each other."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..conventions import HEADLINE
from ..errors import RequestError
from ..files.atomic import atomic_write, refuse_existing, require_parent, write_bytes
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
            help="The metric: dice, accuracy, iou_soil, …; `marsseg list metric` has them.",
            metavar="METRIC",
            autocompletion=metrics,
        ),
    ] = HEADLINE,
    subset: Annotated[
        str, typer.Option(help="test or validation.", autocompletion=fixed("test", "validation"))
    ] = "test",
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    csv: Annotated[Path | None, typer.Option(help="Write every run with all its metrics.", metavar="FILE.csv")] = None,
    figure: Annotated[Path | None, typer.Option(help="Draw runs, means and differences.", metavar="FILE.png")] = None,
) -> None:
    """Rank runs by a score, with what differs between their plans and paired differences to the best.

    Runs of the same plan but for seed and fold are one group. `marsseg compare runs` compares all that there are.
    """
    for option, path in (("csv", csv), ("figure", figure)):
        if path is not None:
            _check_target(path, option, ".csv" if option == "csv" else ".png")
    from ..experiments.comparison import compare_runs

    found = compare_runs(runs, by=by, subset=subset)
    if csv is not None:
        from ..experiments.table import to_csv

        write_bytes(csv, to_csv(found).encode())
        say(f"Written: {csv}")
    if figure is not None:
        from ..figures.comparison import comparison_figure

        with atomic_write(figure) as temporary:
            comparison_figure(found, temporary)
        say(f"Drawn: {figure}")
    if json:
        print_json(**found.to_json())
    else:
        _print_comparison(found)


def _check_target(path: Path, option: str, suffix: str) -> None:
    if path.suffix != suffix:
        raise RequestError(f"'{path}' does not end in {suffix}.", where=f"--{option}")
    refuse_existing(path, f"--{option}")
    require_parent(path, f"--{option}")


def _print_comparison(found: Comparison) -> None:
    headers = ("rank", "group", f"{found.subset} {found.by}", "n", "to the best", "95 % interval", "pairs", "runs")
    rows = []
    for group in found.groups:
        rank = "–" if group.rank is None else str(group.rank)
        names = " ".join(str(run.path) for run in group.runs)
        rows.append((rank, group.label, str(group.spread), str(group.spread.n), *_cells(group.difference), names))
    print_table(headers, rows, right=("n", "to the best", "pairs"), names=3)
    if found.differing:
        print_text()
        columns = [(name, *values) for name, values in found.differing.items()]
        print_table(("differs", *(group.label for group in found.groups)), columns)
    if found.apart:
        print_text()
        print_table(("not compared", "why"), [(str(path), reason) for path, reason in found.apart])
    if found.elsewhere:
        print_text()
        print_table(("scored elsewhere", "on"), [(str(path), reason) for path, reason in found.elsewhere])
        warn("Scores on different items do not compare: the groups of the runs named last have no rank.")


def _cells(difference: Difference | None) -> tuple[str, str, str]:
    if difference is None:
        return "", "", ""
    pairs = str(difference.pairs)
    if difference.mean is None:
        return "", "no run with the same seed, fold and items", pairs
    mean = f"{difference.mean:+.4f}"
    if difference.low is None or difference.high is None:
        return mean, "no estimate from one pair", pairs
    return mean, f"{difference.low:+.4f} to {difference.high:+.4f}", pairs
