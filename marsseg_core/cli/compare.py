"""`marsseg compare`: compare runs by a score."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from ..conventions import HEADLINE
from ..errors import RequestError, RunError
from ..files.atomic import atomic_write, refuse_existing, require_parent, write_bytes
from ..files.text import encode_text
from .completion import fixed, metrics
from .output import print_json, print_table, print_text, say, warn

if TYPE_CHECKING:
    from ..experiments.comparison import Comparison, Difference

_RIGHT: Final = ("n", "to the best", "pairs")


def compare(
    runs: Annotated[
        list[Path], typer.Argument(help="Run folders, packs, or folders that hold runs and series.", metavar="RUN…")
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
    markdown: Annotated[Path | None, typer.Option(help="Write the ranking as Markdown.", metavar="FILE.md")] = None,
    latex: Annotated[
        Path | None, typer.Option(help="Write the ranking as a table for LaTeX (booktabs).", metavar="FILE.tex")
    ] = None,
    figure: Annotated[
        Path | None, typer.Option(help="Draw the runs, their means and the differences.", metavar="FILE.png")
    ] = None,
) -> None:
    """Rank runs by a score. Show how their plans differ, and the paired differences to the best group.

    Runs whose plans differ only in seed and fold form one group. `marsseg compare runs` compares all runs in runs/.
    A run that cannot be read is listed with the reason; the exit code is then 1.
    """
    targets = {
        "csv": (csv, ".csv"),
        "markdown": (markdown, ".md"),
        "latex": (latex, ".tex"),
        "figure": (figure, ".png"),
    }
    for option, (path, suffix) in targets.items():
        if path is not None:
            _check_target(path, option, suffix)
    from ..experiments.comparison import compare_runs

    comparison = compare_runs(runs, by=by, subset=subset)
    if csv is not None:
        from ..experiments.table import to_csv

        write_bytes(csv, encode_text(to_csv(comparison)))
        say(f"Table written: {csv}")
    from ..experiments.markup import latex_table, markdown_table

    for path, form in ((markdown, markdown_table), (latex, latex_table)):
        if path is not None:
            write_bytes(path, encode_text(form(*_table_for_papers(comparison), right=_RIGHT)))
            say(f"Table written: {path}")
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


def _ranking(comparison: Comparison) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Return the headers and the rows of the groups, best first."""
    score = f"{comparison.subset} {comparison.by}"
    headers = ("rank", "group", score, "n", "to the best", "95 % interval", "pairs")
    rows: list[tuple[str, ...]] = []
    for group in comparison.groups:
        rank = "–" if group.rank is None else str(group.rank)
        rows.append((rank, group.label, str(group.spread), str(group.spread.n), *_cells(group.difference)))
    return headers, rows


def _table_for_papers(comparison: Comparison) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Return the ranking with the settings that differ as columns, which say in a paper what the groups are."""
    (rank, group, *others), rows = _ranking(comparison)
    settings = [[values[position] for values in comparison.differing.values()] for position in range(len(rows))]
    headers = (rank, group, *comparison.differing, *others)
    return headers, [(*row[:2], *mine, *row[2:]) for row, mine in zip(rows, settings, strict=True)]


def _print_comparison(comparison: Comparison) -> None:
    headers, rows = _ranking(comparison)
    names = [" ".join(str(run.path) for run in group.runs) for group in comparison.groups]
    shown = [(*row, text) for row, text in zip(rows, names, strict=True)]
    print_table((*headers, "runs"), shown, right=_RIGHT, names=3)
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
