"""Give the pairs of a folder the names, subsets and groups that its table items.csv has for them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from marsseg_core.plugin_api import (
    ITEM_FILE,
    SUBSET_WORDS,
    SUBSETS,
    Table,
    counted,
    get_logger,
    nearest,
    read_table,
    refuse_file,
    some,
)

from .pairs import Pair, Unpaired, report_unpaired

_ITEM: Final = "item"
_FILE: Final = "file"
_SUBSET: Final = "subset"
_GROUP: Final = "group"

# Group numbers are 64-bit integers.
_MAX_DIGITS: Final = 18


def apply_item_table(folder: Path, pairs: Sequence[Pair], *, groups: bool, unpaired: Unpaired) -> list[Pair]:
    """Return the pairs in the order and as the table of the folder says; without one, as they are.

    Each row has the name of an item in the column `item` and, if this differs, the path of its image inside images/ in
    `file`. The optional columns are `subset` and `group`; what they say replaces what the folders say. An item without
    a group is a group of its own, if others have one. Images that the table does not have come last, with a warning.
    Raises RequestError if the table cannot be used, or has items without an image, unless `unpaired` is "skip".
    """
    path = folder / ITEM_FILE
    if not path.is_file():
        return list(pairs)
    table = read_table(path)
    if _ITEM not in table.columns:
        get_logger(__name__).warning("%s has no column `%s`, and is not used.", path, _ITEM)
        return list(pairs)
    column = {name: [fields[i] for _, fields in table.rows] for i, name in enumerate(table.columns)}
    pair_of_file = {os.path.splitext(pair.name)[0]: pair for pair in pairs} | {pair.name: pair for pair in pairs}
    line_of_image: dict[Path, int] = {}
    listed, rows, missing = [], [], []
    for row, file in enumerate(column.get(_FILE, column[_ITEM])):
        if (pair := pair_of_file.get(file) or pair_of_file.get(file.strip())) is None:
            missing.append(file)
            continue
        line = table.rows[row][0]
        if line_of_image.setdefault(pair.image, line) != line:
            refuse_file(path, f"Line {line} is for the same image as line {line_of_image[pair.image]}: {file}")
        listed.append(replace(pair, name=column[_ITEM][row]) if _FILE in column else pair)
        rows.append(row)
    if missing:
        fault = f"{counted(len(missing), 'item has', 'items have')} no image and mask: {some(missing)}."
        report_unpaired([fault], unpaired, path, remaining=len(pairs))
    others = [pair for pair in pairs if pair.image not in line_of_image]
    if others:
        names = some([pair.name for pair in others])
        count = counted(len(others), "image is", "images are")
        get_logger(__name__).warning("%s not in %s: %s.", count, path, names)
    found = [*listed, *others]
    if _SUBSET in column:
        subsets = [*_subsets(path, table, column[_SUBSET], rows), *[""] * len(others)]
        found = [replace(pair, subset=subset) for pair, subset in zip(found, subsets, strict=True)]
    if _GROUP in column and groups:
        numbers = _groups([*(column[_GROUP][row].strip() for row in rows), *[""] * len(others)])
        found = [replace(pair, group=number) for pair, number in zip(found, numbers, strict=True)]
    return found


def _subsets(path: Path, table: Table, words: Sequence[str], rows: Iterable[int]) -> list[str]:
    """Return the subset of the items in these rows, or an empty text."""
    subsets = []
    for row in rows:
        word = words[row].strip()
        if word and word.lower() not in SUBSET_WORDS:
            hint = nearest(word, SUBSETS, listing="Subsets")
            refuse_file(path, f"Line {table.rows[row][0]}: there is no subset '{word}'.", hint=hint)
        subsets.append(SUBSET_WORDS[word.lower()] if word else "")
    return subsets


def _groups(words: Sequence[str]) -> list[int | None]:
    """Return the number of each group: the word itself if all are whole numbers, or else its place in their order."""
    different = sorted(set(words) - {""})
    if not different:
        return [None] * len(words)
    if all(word.removeprefix("-").isascii() and word.removeprefix("-").isdecimal() for word in different) and all(
        len(word) <= _MAX_DIGITS for word in different
    ):
        number_of_word = {word: int(word) for word in different}
    else:
        number_of_word = {word: number for number, word in enumerate(different)}
    alone = max(number_of_word.values()) + 1
    return [number_of_word[word] if word else alone + position for position, word in enumerate(words)]
