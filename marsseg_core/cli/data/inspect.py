"""`marsseg data inspect`: describe a data set and its possible faults."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..common_options import Plugins
from ..output import print_json, print_table, print_text, say
from ..targets import check_target
from .data_argument import DataSource, Overrides, Split, source_plan

if TYPE_CHECKING:
    from ...data.inspection import Inspection

_SHOWN_ITEMS = 8


def inspect(
    source: DataSource,
    split: Split = None,
    set: Overrides = None,
    plugin: Plugins = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON, with all items of each finding.")] = False,
    html: Annotated[Path | None, typer.Option(help="Write an HTML page with pictures.", metavar="FILE.html")] = None,
) -> None:
    """Describe a data set and its possible faults: aliens, duplicates, unusual masks, label rims, margins, leaks.

    Leaks are items that belong together but are in different subsets of the split that a run would make. Inspect
    another split with `--split FILE` or `--set split.seed=1`, or the cleaned data with
    `--set cleaning.drop_aliens=masks`.
    """
    from ...data.inspection import inspect as inspect_data
    from ...files.atomic import write_bytes
    from ...runs.data import load_unlabelled, read_data

    check_target(html, "--html", ".html")
    plan = source_plan(source, set, plugin, split=split)
    data = read_data(plan)
    unlabelled = load_unlabelled(plan)
    inspection = inspect_data(data, unlabelled, plan.split)
    if html is not None:
        from ...figures.inspection import inspection_page

        write_bytes(html, inspection_page(inspection, data, unlabelled).encode())
    if json:
        print_json(**inspection.to_json())
    else:
        _print_inspection(inspection)
    if html is not None:
        say(f"Page written: {html}")


def _print_inspection(inspection: Inspection) -> None:
    from ...data.findings import findings, listed, summary

    masks = inspection.masks
    for line in summary(inspection):
        print_text(line)
    print_text()
    rows = [
        (
            f"{each.name} (ignored)" if each.ignored else each.name,
            f"{each.pixels:,}",
            f"{100 * each.share:.2f} %",
            f"{each.images:,}",
            _weight(each.weight),
            _weight(each.weight_labelled),
        )
        for each in inspection.classes
    ]
    if masks.void:
        share = f"{100 * masks.void_share:.2f} % of all"
        rows.append(("void (255)", f"{masks.void_pixels:,}", share, f"{len(masks.void):,}", "–", "–"))
    right = ("pixels", "share", "images", "weight", "weight, labelled")
    print_table(("class", *right), rows, right=right)
    print_text()
    if inspection.subsets is not None:
        _print_subsets(inspection, inspection.subsets)
        print_text()
    cells = [
        (
            each.name,
            f"{each.count:,}",
            each.detail,
            listed(each.groups, _SHOWN_ITEMS, inspection.names if each.labelled else {}),
        )
        for each in findings(inspection)
    ]
    print_table(("finding", "count", "details", "items"), cells, right=("count",))


def _print_subsets(inspection: Inspection, subsets: Mapping[str, int]) -> None:
    """Print the size of each subset, and of groups, if there are any."""
    groups = inspection.subset_groups
    rows = [
        (
            subset,
            f"{count:,}",
            f"{100 * count / inspection.images:.1f} %",
            *(() if groups is None else (f"{groups[subset]:,}",)),
        )
        for subset, count in subsets.items()
    ]
    right = ("images", "share", *(() if groups is None else ("groups",)))
    print_table(("subset", *right), rows, right=right)


def _weight(weight: float | None) -> str:
    return "–" if weight is None else f"{weight:.3f}"
