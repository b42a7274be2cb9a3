"""Read a split from files: a table of items and their subsets or folds, lists of items, or the split.json of a run."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import RequestError
from ..files.run_folder import RunFolder
from .arrays import SegmentationData
from .split import Split
from .split_items import SplitItems
from .split_source import SplitSource
from .split_table import SplitTable, is_recorded, read_split_table
from .subsets import SUBSETS


@dataclass(frozen=True)
class Folds:
    """Hold the folds that a file gives.

    Attributes:
        fold_of_item: (N,) the fold of each item, from 1; 0 means none
        count: the number of folds
        remarks: what the user should know, each a sentence
        notes: what the user may want to know
    """

    fold_of_item: np.ndarray
    count: int
    remarks: tuple[str, ...]
    notes: tuple[str, ...]


def read_split_file(source: SplitSource, data: SegmentationData) -> Split | Folds:
    """Read which items of the data are in which subset or fold.

    A table (CSV, also with semicolons or tabs) has a header with the columns `item` and `subset`, or `item` and `fold`.
    A list has an item in each line. `SplitItems` says how items are given. Subsets are train, validation (or val,
    valid, dev) and test; folds are whole numbers. A run's split.json, or a run folder, gives the split of the run: of
    the same data, or of data with the same names.

    Args:
        source: the files
        data: the data that are split

    Returns:
        The split, or the folds. Some subsets may be empty.

    Raises:
        RequestError: if a file cannot be read, or says nothing about the data
    """
    if is_recorded(source):
        return _of_run(source, data)
    return _of_table(source, read_split_table(source), data)


def _of_table(source: SplitSource, table: SplitTable, data: SegmentationData) -> Split | Folds:
    items = SplitItems(data, table.rows.keys(), source)
    rows = ((name, value, source.place(line, value)) for name, (line, value) in table.rows.items())
    chosen = _chosen(items, rows, data, source)
    number_of_item = np.full(len(data), -1)
    if not table.gives_folds:
        number_of_item[list(chosen)] = [SUBSETS.index(subset) for subset in chosen.values()]
        return Split.from_numbers(number_of_item, "file", items.remarks(), items.notes(len(chosen)))
    folds = sorted(set(chosen.values()))
    if len(folds) < 2:
        raise RequestError("A file of folds must give at least 2 folds.", where=source.text)
    position = {fold: number for number, fold in enumerate(folds)}
    number_of_item[list(chosen)] = [position[fold] for fold in chosen.values()]
    return Folds(number_of_item + 1, len(folds), items.remarks(), items.notes(len(chosen)))


def _chosen(
    items: SplitItems, rows: Iterable[tuple[str, Any, str]], data: SegmentationData, source: SplitSource
) -> dict[int, Any]:
    """Return the subset or fold of each item, by rows of a key, its subset or fold, and what messages call the row.

    Raises RequestError where two rows give one item different ones, or no row has an item of the data.
    """
    chosen: dict[int, Any] = {}
    for name, value, place in rows:
        for item in items.found.get(name, ()):
            if chosen.setdefault(item, value) != value:
                raise RequestError(
                    f"{place[0].upper()}{place[1:]} puts {data.name(item)} into {value}; it is in {chosen[item]} "
                    "already.",
                    where=source.text,
                )
    items.check_used(len(chosen))
    return chosen


def _of_run(source: SplitSource, data: SegmentationData) -> Split:
    """Return the split of another run, by the numbers of its items if it had the same data, or else by their names."""
    recorded = RunFolder(source.file.parent).read_split()
    split = Split.from_json(recorded)
    if recorded["fingerprint"] == data.fingerprint():
        return Split(split.train, split.validation, split.test, "file")
    names = recorded.get("names")
    if names is None or data.names is None:
        raise RequestError(
            f"This is the split of other data ({recorded['source']}), and items without names cannot be compared.",
            where=str(source.file),
            hint="Give the items by a table with the columns item and subset.",
        )
    subsets = {names[item]: subset for subset in SUBSETS for item in split[subset].tolist() if item < len(names)}
    items = SplitItems(data, subsets, source)
    rows = ((name, subset, f"the recorded item {name}") for name, subset in subsets.items())
    chosen = _chosen(items, rows, data, source)
    number_of_item = np.full(len(data), -1)
    number_of_item[list(chosen)] = [SUBSETS.index(subset) for subset in chosen.values()]
    return Split.from_numbers(number_of_item, "file", items.remarks(), items.notes(len(chosen)))
