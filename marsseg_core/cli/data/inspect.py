"""`marsseg data inspect`: what is in a data set, and what is wrong with it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..common_options import Plugins
from ..output import print_json, print_table, print_text, say
from .data_argument import DataSource, Overrides, read_unlabelled, source_plan

if TYPE_CHECKING:
    from ...data.inspection import Inspection

_SHOWN = 8


def inspect(
    source: DataSource,
    set: Overrides = None,
    plugin: Plugins = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON, with every item that was found.")] = False,
    html: Annotated[Path | None, typer.Option(help="Write a page with pictures.", metavar="FILE.html")] = None,
) -> None:
    """Tell what a data set holds and what is doubtful in it: aliens, copies, masks, rims, margins, leaks.

    Leaks are told between the subsets that a run would make; `--set split.seed=1` looks at another split, and
    `--set cleaning.drop_aliens=masks` at what is left after cleaning.
    """
    from ...data.inspection import inspect as look
    from ...errors import RequestError
    from ...files.atomic import refuse_existing, require_parent, write_bytes
    from ...runs.data import read_data

    if html is not None:
        if html.suffix != ".html":
            raise RequestError(f"The page is HTML; '{html}' does not end in .html.", where="--html")
        refuse_existing(html, "--html")
        require_parent(html, "--html")
    plan = source_plan(source, set, plugin)
    data = read_data(plan)
    unlabelled = read_unlabelled(plan)
    found = look(data, unlabelled, plan.split)
    if html is not None:
        from ...figures.inspection import inspection_page

        write_bytes(html, inspection_page(found, data, unlabelled).encode())
    if json:
        print_json(**found.to_json())
    else:
        _print_inspection(found)
    if html is not None:
        say(f"Written: {html}")


def _print_inspection(found: Inspection) -> None:
    from ...data.findings import findings, listed, summary

    for line in summary(found):
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
        for each in found.classes
    ]
    if found.masks.void:
        share = f"{100 * found.masks.void_share:.2f} % of all"
        rows.append(("void (255)", f"{found.masks.void_pixels:,}", share, f"{len(found.masks.void):,}", "–", "–"))
    right = ("pixels", "share", "images", "weight", "weight, labelled")
    print_table(("class", *right), rows, right=right)
    print_text()
    cells = [(each.name, f"{each.count:,}", each.detail, listed(each.groups, _SHOWN)) for each in findings(found)]
    print_table(("found", "count", "what", "items"), cells, right=("count",))


def _weight(weight: float | None) -> str:
    return "–" if weight is None else f"{weight:.3f}"
