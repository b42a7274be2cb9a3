"""Write the table of the items of a folder: their names, files, subsets and groups."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Final

from .arrays import SegmentationData
from .subsets import SUBSETS

ITEM_FILE: Final = "items.csv"
"""Name the table in the folder of a data set."""


def item_table(data: SegmentationData, names: Sequence[str], files: Sequence[str]) -> str:
    """Return the text of the table.

    `names` are the items' names, and `files` their images, relative to the folder of images. Columns that say nothing
    are left out: `file` if each item is called like its file, `subset` if the data come with no split, and `group` if
    there are neither groups nor subfolders, which would be read as groups.
    """
    columns: dict[str, list[str]] = {"item": list(names)}
    if list(files) != columns["item"]:
        columns["file"] = list(files)
    if data.split is not None:
        words = (*SUBSETS, "")
        columns["subset"] = [words[number] for number in data.split.numbers(len(data))]
    if data.groups is not None:
        columns["group"] = [str(group) for group in data.groups]
    elif any("/" in file for file in files):
        columns["group"] = [""] * len(data)
    text = io.StringIO()
    # Where quotes are not needed, they are left out, except for spaces, which other programs might drop.
    spaces = any(name != name.strip() for name in names)
    write = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL if spaces else csv.QUOTE_MINIMAL)
    write.writerow(columns)
    write.writerows(zip(*columns.values(), strict=True))
    return text.getvalue()
