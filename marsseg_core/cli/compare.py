"""`marsseg compare`: compare runs by a score."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..conventions import HEADLINE
from ..errors import RunError
from ..files.atomic import atomic_write, write_bytes
from ..files.text import encode_text
from .completion import fixed, metrics
from .output import print_json, print_table, print_text, say, warn
from .targets import check_different, check_target

if TYPE_CHECKING:
    from ..experiments.comparison import Comparison


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
            help="The subset whose scores are compared.",
            metavar="test|validation",
            autocompletion=fixed("test", "validation"),
        ),
    ] = "test",
    also: Annotated[
        str | None,
        typer.Option(
            help="More scores as columns, separated by commas. `classes` means the IoU of each class.",
            metavar="METRIC,…",
            autocompletion=metrics,
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    csv: Annotated[
        Path | None, typer.Option(help="Write a table of all runs with all their metrics.", metavar="FILE.csv")
    ] = None,
    groups: Annotated[
        Path | None,
        typer.Option(
            help="Write a table of the groups: mean, deviation and 95 % interval of all their metrics.",
            metavar="FILE.csv",
        ),
    ] = None,
    markdown: Annotated[Path | None, typer.Option(help="Write the ranking as Markdown.", metavar="FILE.md")] = None,
    latex: Annotated[
        Path | None,
        typer.Option(help="Write the ranking as a table for LaTeX (booktabs), with a caption.", metavar="FILE.tex"),
    ] = None,
    figure: Annotated[
        Path | None, typer.Option(help="Draw the runs, their means and the differences.", metavar="FILE.png")
    ] = None,
    html: Annotated[
        Path | None,
        typer.Option(
            help="Write a page with the ranking, the curves of the runs and the scores of each class.",
            metavar="FILE.html",
        ),
    ] = None,
) -> None:
    """Rank runs by a score. Show how their plans differ, and the paired differences to the best group.

    Runs whose plans differ only in seed and fold form one group. `marsseg compare runs` compares all runs in runs/.
    A run that cannot be read is listed with the reason; the exit code is then 1.
    """
    check_target(csv, "--csv", ".csv")
    check_target(groups, "--groups", ".csv")
    check_target(markdown, "--markdown", ".md")
    check_target(latex, "--latex", ".tex")
    check_target(figure, "--figure", ".png")
    check_target(html, "--html", ".html")
    check_different(csv=csv, groups=groups)  # all others have suffixes of their own
    from ..experiments.comparison import compare_runs

    comparison = compare_runs(
        runs, by=by, subset=subset, also=[] if also is None else [each.strip() for each in also.split(",")]
    )
    if csv is not None or groups is not None:
        _write_csv(comparison, csv, groups)
    if markdown is not None or latex is not None:
        _write_tables(comparison, markdown, latex)
    if figure is not None:
        from ..figures.comparison import comparison_figure

        with atomic_write(figure) as temporary:
            comparison_figure(comparison, temporary)
        say(f"Figure written: {figure}")
    if html is not None:
        from ..figures.comparison_page import comparison_page

        write_bytes(html, encode_text(comparison_page(comparison, html.parent)))
        say(f"Page written: {html}")
    if json:
        print_json(**comparison.to_json())
    else:
        _print_comparison(comparison)
    if comparison.unreadable:
        warn(f'{len(comparison.unreadable)} of the runs could not be read: the reasons are under "not compared".')
        raise typer.Exit(RunError.exit_code)


def _write_csv(comparison: Comparison, runs: Path | None, groups: Path | None) -> None:
    from ..experiments.comparison_csv import groups_to_csv, to_csv

    for target, content in ((runs, to_csv), (groups, groups_to_csv)):
        if target is not None:
            write_bytes(target, encode_text(content(comparison)))
            say(f"Table written: {target}")


def _write_tables(comparison: Comparison, markdown: Path | None, latex: Path | None) -> None:
    from ..experiments.comparison_tables import caption, ranking_with_settings, table_for_papers
    from ..experiments.markup import latex_table, markdown_table

    if markdown is not None:
        table = ranking_with_settings(comparison)
        write_bytes(markdown, encode_text(markdown_table(table.headers, table.rows, right=table.right)))
        say(f"Table written: {markdown}")
    if latex is not None:
        table, words = table_for_papers(comparison), {"caption": caption(comparison), "label": f"tab:{latex.stem}"}
        write_bytes(latex, encode_text(latex_table(table.headers, table.rows, right=table.right, **words)))
        say(f"Table written: {latex}")


def _print_comparison(comparison: Comparison) -> None:
    from ..experiments.comparison_tables import (
        differing_table,
        left_out_tables,
        pairs_note,
        ranking_table,
        transductive_note,
    )

    ranking = ranking_table(comparison)
    names = [" ".join(str(run.path) for run in group.runs) for group in comparison.groups]
    shown = [(*row, text) for row, text in zip(ranking.rows, names, strict=True)]
    print_table((*ranking.headers, "runs"), shown, right=ranking.right, names=3)
    if comparison.differing:
        print_text()
        differing = differing_table(comparison)
        print_table(differing.headers, differing.rows)
    if note := transductive_note(comparison):
        warn(note)
    if note := pairs_note(comparison):
        warn(note)
    if "training.decoding" not in comparison.differing and comparison.groups[0].decoding != "argmax":
        print_text()
        print_text(f"All scores: decoding {comparison.groups[0].decoding}")
    for table in left_out_tables(comparison):
        if table.rows:
            print_text()
            print_table(table.headers, table.rows)
    if comparison.other_data:
        warn("Scores on different items cannot be compared: the groups of the runs in the last table have no rank.")
