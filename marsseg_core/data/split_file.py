"""Read a split from a file: a table of items and their subsets or folds, or the split.json of a run."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from ..errors import RequestError, nearest, some
from ..files.run_folder import RunFolder
from .arrays import SegmentationData
from .image_files import refuse_file
from .names import image_of
from .split import Split
from .subsets import SUBSET_WORDS, SUBSETS
from .tables import read_table

_ITEM_COLUMNS: Final = ("item", "file", "file_id", "image")
_SUBSET_COLUMNS: Final = ("subset", "split")
_FOLD_COLUMN: Final = "fold"

# The digits of the largest number of an item or a fold.
_DIGITS: Final = 18


@dataclass(frozen=True)
class Folds:
    """Hold the folds that a file gives.

    Attributes:
        fold_of_item: (N,) the fold of each item, from 1; 0 means none
        count: the number of folds
        remarks: what the user should know, each a sentence
    """

    fold_of_item: np.ndarray
    count: int
    remarks: tuple[str, ...]


def read_split_file(path: Path, data: SegmentationData) -> Split | Folds:
    """Read which items of the data are in which subset or fold.

    A table (CSV, also with semicolons or tabs) has a header with the columns `item` and `subset`, or `item` and `fold`.
    An item is given by its name in the data, with or without the suffix of its file; the name of an image means all its
    tiles. In data without names, and in a table without a known name, an item is given by its number, from 0. Subsets
    are train, validation (or val, valid) and test; folds are whole numbers. A run's split.json, or a run folder, gives
    the split of the run: of the same data, or of data with the same names.

    Args:
        path: the file, or a run folder
        data: the data that are split

    Returns:
        The split, or the folds. Some subsets may be empty.

    Raises:
        RequestError: if the file cannot be read, or says nothing about the data
    """
    if path.is_dir() and RunFolder(path).split.is_file():
        path = RunFolder(path).split
    if path.suffix.lower() == ".json":
        return _of_run(path, data)
    rows, column = _rows(path)
    items = _Items(data, rows.keys())
    chosen: dict[int, Any] = {}
    for name, (line, value) in rows.items():
        for item in items.found.get(name, ()):
            if chosen.setdefault(item, value) != value:
                refuse_file(path, f"Line {line} puts {data.name(item)} into {value}; it is in {chosen[item]} already.")
    remarks = items.remarks(path, len(chosen))
    number_of_item = np.full(len(data), -1)
    if column == _FOLD_COLUMN:
        folds = sorted(set(chosen.values()))
        if len(folds) < 2:
            refuse_file(path, "A file of folds must give at least 2 folds.")
        position = {fold: number for number, fold in enumerate(folds)}
        number_of_item[list(chosen)] = [position[fold] for fold in chosen.values()]
        return Folds(number_of_item + 1, len(folds), remarks)
    number_of_item[list(chosen)] = [SUBSETS.index(subset) for subset in chosen.values()]
    return Split.from_numbers(number_of_item, "file", remarks)


class _Items:
    """Find the items of the data that the keys of a file mean.

    Attributes:
        found: the items that each key means; unknown keys are left out
    """

    def __init__(self, data: SegmentationData, keys: Collection[str]) -> None:
        self._data = data
        # Spaces around a key are part of a name only where the data have such a name.
        stripped = {key: key.strip() for key in keys}
        named = _items_by_key(data.names, {*stripped, *stripped.values()}) if data.names is not None else {}
        by_name = {key: items for key in keys if (items := named.get(key) or named.get(stripped[key]))}
        self.found: Mapping[str, Sequence[int]] = by_name or {
            key: [int(number)] for key, number in stripped.items() if _is_number(number) and int(number) < len(data)
        }
        self._unknown = [key for key in keys if key not in self.found]

    def remarks(self, path: Path, used: int) -> tuple[str, ...]:
        """Return remarks on what the file and the data do not share. Raises RequestError if they share nothing."""
        if not used:
            refuse_file(
                path,
                f"None of its items is in the data ({some(self._unknown)}).",
                hint=f"The first item of {self._data.source} is called {self._data.name(0)}.",
            )
        lines = []
        if self._unknown:
            lines.append(f"{len(self._unknown):,} items of {path.name} are not in the data: {some(self._unknown)}.")
        if unused := len(self._data) - used:
            lines.append(f"{unused:,} of {len(self._data):,} images are in no subset of {path.name}, and not used.")
        return tuple(lines)


def _items_by_key(names: Iterable[str], keys: set[str]) -> dict[str, list[int]]:
    """Return the items that each key means: by the whole name of an item or of its image, or by its last part.

    The suffix of a file may be left out. A last part, such as the name of a file without its folder, must be unique.
    """
    by_key: dict[str, list[int]] = defaultdict(list)
    by_end: dict[str, list[int]] = defaultdict(list)
    owners: dict[str, set[str]] = defaultdict(set)
    for item, name in enumerate(names):
        image = image_of(name)
        stem = os.path.splitext(image)[0]
        for key in dict.fromkeys((name, image, stem, stem + name[len(image) :])):
            if key in keys:
                by_key[key].append(item)
        for key in dict.fromkeys((os.path.basename(image), os.path.basename(stem))):
            if key in keys:
                by_end[key].append(item)
                owners[key].add(image)
    return {key: items for key, items in by_end.items() if len(owners[key]) == 1} | by_key


def _rows(path: Path) -> tuple[dict[str, tuple[int, Any]], str]:
    """Return for each item of a table its line and its subset (a text) or fold (a number), and which of both.

    Items without a subset are left out.
    """
    table = read_table(path)
    item = next((table.columns.index(name) for name in _ITEM_COLUMNS if name in table.columns), None)
    value = next((name for name in (*_SUBSET_COLUMNS, _FOLD_COLUMN) if name in table.columns), None)
    if item is None or value is None:
        refuse_file(
            path,
            f"A split needs the columns `item` and `subset` (or `fold`); the first line is: {table.header[:80]}",
            hint="Write them as the first line: item,subset",
        )
    rows: dict[str, tuple[int, Any]] = {}
    for line, fields in table.rows:
        key, word = fields[item], fields[table.columns.index(value)].strip()
        if not word:
            continue
        number_or_subset = _fold(path, line, word) if value == _FOLD_COLUMN else _subset(path, line, word)
        if rows.setdefault(key, (line, number_or_subset))[1] != number_or_subset:
            refuse_file(path, f"Line {line} gives {key} a different {value} from line {rows[key][0]}.")
    return rows, _FOLD_COLUMN if value == _FOLD_COLUMN else _SUBSET_COLUMNS[0]


def _subset(path: Path, line: int, word: str) -> str:
    if (subset := SUBSET_WORDS.get(word.lower())) is None:
        refuse_file(path, f"Line {line}: there is no subset '{word}'.", hint=nearest(word, SUBSETS, listing="Subsets"))
    return subset


def _fold(path: Path, line: int, word: str) -> int:
    if not _is_number(word):
        refuse_file(path, f"Line {line}: a fold must be a whole number, not '{word[:40]}'.")
    return int(word)


def _is_number(word: str) -> bool:
    return word.isascii() and word.isdecimal() and len(word) <= _DIGITS


def _of_run(path: Path, data: SegmentationData) -> Split:
    """Return the split of another run, by the numbers of its items if it had the same data, or else by their names."""
    folder = RunFolder(path.parent)
    if path.name != folder.split.name:
        raise RequestError(
            f"A split as JSON is the {folder.split.name} of a run.", where=str(path), hint="Other splits are CSV."
        )
    recorded = folder.read_split()
    split = Split.from_json(recorded)
    if recorded["fingerprint"] == data.fingerprint():
        return Split(split.train, split.validation, split.test, "file")
    names = recorded.get("names")
    if names is None or data.names is None:
        raise RequestError(
            f"This is the split of other data ({recorded['source']}), and items without names cannot be compared.",
            where=str(path),
            hint="Give the items by a table with the columns item and subset.",
        )
    rows = {names[item]: subset for subset in SUBSETS for item in split[subset].tolist() if item < len(names)}
    items = _Items(data, rows)
    number_of_item = np.full(len(data), -1)
    for name, found in items.found.items():
        number_of_item[found] = SUBSETS.index(rows[name])
    remarks = items.remarks(path, int((number_of_item >= 0).sum()))
    return Split.from_numbers(number_of_item, "file", remarks)
