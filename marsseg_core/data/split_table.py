"""Read what a table of a split, or its lists, say: the subset or fold of each item. The data are not needed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ..errors import RequestError, nearest
from ..files.run_folder import RunFolder
from .image_files import refuse_file
from .split_source import SplitSource
from .subsets import SUBSET_WORDS, SUBSETS
from .tables import read_list, read_table

_ITEM_COLUMNS: Final = ("item", "file", "file_id", "image")
_SUBSET_COLUMNS: Final = ("subset", "split")
_FOLD_COLUMN: Final = "fold"

# The digits of the largest number of an item or a fold.
_DIGITS: Final = 18


@dataclass(frozen=True)
class SplitTable:
    """Hold the rows of a table, or the lines of lists.

    Attributes:
        rows: for each key of an item, the line that has it, and its subset (a text) or its fold (a number)
        gives_folds: whether the items have folds
    """

    rows: Mapping[str, tuple[int, Any]]
    gives_folds: bool


def is_number(word: str) -> bool:
    """Return whether a word is the number of an item or of a fold."""
    return word.isascii() and word.isdecimal() and len(word) <= _DIGITS


def check_form(source: SplitSource) -> None:
    """Read a split, of any form, and do nothing with it. Raises RequestError if it cannot be read."""
    if is_recorded(source):
        RunFolder(source.file.parent).read_split()
    else:
        read_split_table(source)


def is_recorded(source: SplitSource) -> bool:
    """Return whether a split is the split.json of a run. Raises RequestError for other files that end so."""
    if source.has_lists or source.file.suffix.lower() != ".json":
        return False
    if source.file.name != RunFolder(source.file.parent).split.name:
        name = RunFolder(source.file.parent).split.name
        raise RequestError(
            f"A split as JSON is the {name} of a run.", where=str(source.file), hint="Other splits are CSV."
        )
    return True


def read_split_table(source: SplitSource) -> SplitTable:
    """Read a table, or lists. Raises RequestError if they cannot be read, or give an item two subsets or folds."""
    try:
        return _of_lists(source) if source.has_lists else _of_table(source)
    except RequestError as error:
        error.hint = error.hint or source.hint()
        raise


def _of_lists(source: SplitSource) -> SplitTable:
    rows: dict[str, tuple[int, Any]] = {}
    for subset, path in source.files.items():
        lines = read_list(path)
        if not lines:
            refuse_file(path, "This list has no item.")
        for key, line in lines.items():
            _add(rows, source, key, line, subset)
    return SplitTable(rows, False)


def _of_table(source: SplitSource) -> SplitTable:
    path = source.file
    table = read_table(path)
    item = next((table.columns.index(name) for name in _ITEM_COLUMNS if name in table.columns), None)
    value = next((name for name in (*_SUBSET_COLUMNS, _FOLD_COLUMN) if name in table.columns), None)
    if item is None or value is None:
        refuse_file(
            path,
            f"A split needs the columns `item` and `subset` (or `fold`); the first line is: {table.header[:80]}",
            hint="Write them as the first line: item,subset. If it is the list of one subset, name that of each: "
            "--split train=FILE,validation=FILE,test=FILE",
        )
    column = table.columns.index(value)
    rows: dict[str, tuple[int, Any]] = {}
    for line, fields in table.rows:
        # Items without a subset are left out.
        if word := fields[column].strip():
            found = _fold(path, line, word) if value == _FOLD_COLUMN else _subset(path, line, word)
            _add(rows, source, fields[item], line, found)
    return SplitTable(rows, value == _FOLD_COLUMN)


def _add(rows: dict[str, tuple[int, Any]], source: SplitSource, key: str, line: int, value: Any) -> None:
    first, other = rows.setdefault(key, (line, value))
    if other != value:
        word = "folds" if isinstance(value, int) else "subsets"
        places = f"{other} ({source.place(first, other)}) and {value} ({source.place(line, value)})"
        raise RequestError(f"The item {key} has two {word}: {places}.", where=source.text)


def _subset(path: Path, line: int, word: str) -> str:
    if (subset := SUBSET_WORDS.get(word.lower())) is None:
        refuse_file(path, f"Line {line}: there is no subset '{word}'.", hint=nearest(word, SUBSETS, listing="Subsets"))
    return subset


def _fold(path: Path, line: int, word: str) -> int:
    if not is_number(word):
        refuse_file(path, f"Line {line}: a fold must be a whole number, not '{word[:40]}'.")
    return int(word)
