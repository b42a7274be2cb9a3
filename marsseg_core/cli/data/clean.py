"""`marsseg data clean`: clean a data set and write it into a file or a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ...errors import RequestError
from ..common_options import Plugins
from ..output import print_text
from .data_argument import DataSource, Overrides, source_plan


def clean(
    source: DataSource,
    out: Annotated[Path, typer.Argument(help="The new file (if it ends in .npz) or folder.", metavar="OUT")],
    drop_aliens: Annotated[
        str | None,
        typer.Option(
            help="Drop groups of images with an identical mask (masks), or of nearly identical images (images).",
            metavar="masks|images",
        ),
    ] = None,
    drop_duplicates: Annotated[
        bool, typer.Option("--drop-duplicates", help="Keep only the first of each group of nearly identical images.")
    ] = False,
    fill_margin: Annotated[
        str | None,
        typer.Option(help="Label unlabelled strips along the edges, if they are at most this wide.", metavar="PIXELS"),
    ] = None,
    set: Overrides = None,
    plugin: Plugins = None,
) -> None:
    """Write a data set without aliens and duplicates, and with its margins labelled (in this order).

    To clean the data of a run in the same way, use `marsseg run --set cleaning.drop_aliens=masks` and so on.
    """
    from ...files.atomic import refuse_existing, require_parent
    from ...runs.data import load_unlabelled, read_data
    from .convert import write_data

    refuse_existing(out, "OUT")
    require_parent(out, "OUT")
    options = {"drop_aliens": drop_aliens, "drop_duplicates": drop_duplicates or None, "fill_margin": fill_margin}
    plan = source_plan(source, set, plugin, {key: value for key, value in options.items() if value is not None})
    data = read_data(plan)
    if data.cleaning is None:
        raise RequestError(
            "No cleaning was requested.",
            where=source,
            hint="Add --drop-aliens masks, --drop-duplicates or --fill-margin 3.",
        )
    write_data(out, data, load_unlabelled(plan))
    if data.scaling is not None:
        print_text(f"{out}: {data.scaling}, and are written as such")
    print_text(f"{out}: {data.cleaning}")
