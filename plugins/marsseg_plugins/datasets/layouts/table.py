"""Read a table of the paths of images and masks: a CSV file."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from marsseg_core.plugin_api import SUBSET_WORDS, nearest, read_table, refuse_file

from .base import Found, Item, Wanted

LOOKS_FOR: Final = "a .csv file with the columns image and mask, and subset (or split) and group if you like"

_IMAGE: Final = ("image", "image_path", "img")
_MASK: Final = ("mask", "mask_path", "label", "annotation")
_SUBSET: Final = ("subset", "split")
_GROUP: Final = ("group", "place")


def recognises(root: Path) -> bool:
    """Return whether this is a .csv file."""
    return root.suffix.lower() == ".csv" and root.is_file()


def find(root: Path, wanted: Wanted) -> Found:
    """Pair the files of each line. Paths are relative to the folder of the table."""
    rows, columns = _read(root)
    image_column, mask_column = (_column(root, columns, names) for names in (_IMAGE, _MASK))
    subset_column, group_column = (next((n for n in names if n in columns), None) for names in (_SUBSET, _GROUP))
    items: list[Item] = []
    unlabelled: list[Path] = []
    missing: dict[str, list[Path]] = {"image of the table does not exist": [], "mask of the table does not exist": []}
    lines: dict[str, int] = {}
    for line, row in rows:
        name, mask_name = row[image_column], row[mask_column]
        if not name:
            refuse_file(root, f"Line {line} names no image.")
        if (other := lines.setdefault(name, line)) != line:
            refuse_file(root, f"Line {line} names the image {name} again; it is in line {other} already.")
        image, mask = root.parent / name, root.parent / mask_name
        absent = [kind for kind, path in zip(missing, (image, mask), strict=True) if not os.path.isfile(path)]
        if not mask_name and os.path.isfile(image):
            unlabelled.append(image)
        elif absent:
            missing[absent[0]].append(image if absent[0].startswith("image") else mask)
        else:
            subset = _subset(root, line, row[subset_column]) if subset_column else ""
            items.append(Item(image, mask, name, row[group_column] if group_column else "", subset))
    what = f"the columns {image_column} and {mask_column}"
    more = [column for column in (subset_column, group_column) if column]
    what += f", with {' and '.join(more)}" if more else ""
    return Found(items, what, missing, unlabelled=unlabelled, files=[root])


def _read(path: Path) -> tuple[list[tuple[int, dict[str, str]]], Sequence[str]]:
    """Return (line, values by column) of the lines that are not empty, and the columns."""
    table = read_table(path, short_rows=True)
    columns = list(filter(None, table.columns))
    rows = [(line, dict(zip(table.columns, map(str.strip, fields), strict=True))) for line, fields in table.rows]
    return rows, columns


def _column(path: Path, columns: Sequence[str], names: Sequence[str]) -> str:
    found = [name for name in names if name in columns]
    if not found:
        refuse_file(
            path,
            f"There is no column {names[0]}.",
            hint=f"The first line must name the columns: image, mask. It says: {', '.join(columns) or 'nothing'}.",
        )
    return found[0]


def _subset(path: Path, line: int, word: str) -> str:
    known: Mapping[str, str] = SUBSET_WORDS
    if word and word.lower() not in known:
        refuse_file(path, f"Line {line}: there is no subset {word}.", hint=nearest(word.lower(), known))
    return known[word.lower()] if word else ""
