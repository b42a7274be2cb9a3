"""`marsseg data cache`: list or clear the cache of prepared data sets."""

from __future__ import annotations

from typing import Annotated

import typer

from ..output import print_json, print_table, print_text


def cache(
    clear: Annotated[
        bool,
        typer.Option(
            "--clear", help="Remove all prepared data sets and unpacked packs. The next run prepares its data again."
        ),
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the prepared data sets in the cache, or remove them all."""
    from datetime import datetime

    from ...data import cache as prepared
    from ...files.cache_folder import root
    from ...files.pack import clear_unpacked

    entries = prepared.clear() if clear else prepared.entries()
    if clear:
        clear_unpacked()
    size = sum(entry.bytes for entry in entries)
    if json:
        records = [
            {"name": e.name, "bytes": e.bytes, "prepared": e.prepared, "finished": e.finished, "path": str(e.path)}
            for e in entries
        ]
        print_json(folder=str(root()), cleared=clear, bytes=size, entries=records)
    elif clear:
        print_text(f"{root()}: {len(entries)} removed, {_mebibytes(size)}")
    else:
        rows = [(e.name, _mebibytes(e.bytes), f"{datetime.fromtimestamp(e.prepared):%Y-%m-%d %H:%M}") for e in entries]
        print_table(("source", "size", "prepared"), rows, right=("size",))
        print_text(f"{root()}: {len(entries)} prepared, {_mebibytes(size)}")


def _mebibytes(size: int) -> str:
    return f"{size / 2**20:,.1f} MiB"
