"""Find the images, masks, classes and partitions of a data set of Mars-Bench."""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from marsseg_core.plugin_api import SUBSET_WORDS, counted, refuse_file, some

from .json_file import read_json
from .matching import by_key, matched
from .pairs import Pair
from .published import Contents
from .text_file import file_text

_FOLDERS: Final = ("train", "val", "test")
_PARTITION: Final = re.compile(r"([0-9.]+)x_partition\.csv")
_MAX_BYTES: Final = 2**24


def find(root: Path, partition: float | None) -> Contents:
    """Return the images that have a mask, with their subsets; with a partition, only those that its file lists.

    Raises RequestError if a folder or the mapping is missing, or a file cannot be used.
    """
    mapping = root / "mapping.json"
    names = _class_names(mapping)
    pairs: list[Pair] = []
    faults: list[str] = []
    for folder in _FOLDERS:
        home = root / "data" / folder
        if folder != "train" and not home.is_dir():
            continue
        images, masks = by_key(home / "images"), by_key(home / "masks")
        keys, unmatched = matched(images, masks, root)
        faults += unmatched
        subset = SUBSET_WORDS[folder]
        pairs += [
            Pair(images[key], masks[key], images[key].relative_to(root / "data").as_posix(), subset=subset)
            for key in keys
        ]
    if partition is None:
        return Contents(pairs, names, faults, [mapping])
    path = _partition_file(root, partition)
    return Contents(_listed(pairs, path), names, faults, [mapping, path])


def _class_names(path: Path) -> tuple[str, ...]:
    """Return the names of the classes: {"0": name, "1": name, …} or a list; of several names the first is taken."""
    try:
        path.stat()
    except OSError as cause:
        refuse_file(
            path,
            f"The names of the classes cannot be read: {cause.strerror}.",
            hint='They are in mapping.json, such as {"0": "background", "1": "crater"}.',
        )
    raw = read_json(path, _MAX_BYTES)
    values = {str(number): value for number, value in enumerate(raw)} if isinstance(raw, list) else raw
    if not isinstance(values, dict) or set(values) != {str(number) for number in range(len(values))} or not values:
        refuse_file(path, 'The names of the classes must have the ids 0, 1, …, such as {"0": "background"}.')
    firsts = [values[str(number)] for number in range(len(values))]
    names = [first[0] if isinstance(first, list) and first else first for first in firsts]
    if wrong := [name for name in names if not isinstance(name, str)]:
        refuse_file(path, f"The name of a class must be a string, not {wrong[0]!r}.")
    return tuple(names)


def _partition_file(root: Path, partition: float) -> Path:
    shares = {
        float(match[1]): path
        for path in sorted((root / "partitions").glob("*x_partition.csv"))
        if (match := _PARTITION.fullmatch(path.name)) and match[1].count(".") < 2
    }
    if partition not in shares:
        known = ", ".join(f"{share:g}" for share in sorted(shares)) or "none"
        refuse_file(root / "partitions", f"There is no partition {partition:g} in this folder; there are: {known}.")
    return shares[partition]


def _listed(pairs: Sequence[Pair], path: Path) -> list[Pair]:
    """Return the pairs that the file of a partition lists, and all pairs of subsets that it does not list."""
    listed = _rows(path)
    kept = []
    unknown = {(subset, name) for subset, names in listed.items() for name in names}
    for pair in pairs:
        known = {(pair.subset, name) for name in (pair.image.name, pair.image.stem)} & unknown
        unknown -= known
        if known or pair.subset not in listed:
            kept.append(pair)
    if unknown:
        names = sorted(name for _, name in unknown)
        count = counted(len(names), "of its images is", "of its images are")
        refuse_file(path, f"{count} not in data/: {some(names)}.")
    return kept


def _rows(path: Path) -> dict[str, set[str]]:
    """Return the names that the file lists for each subset."""
    try:
        rows = list(csv.reader(file_text(path, "table", _MAX_BYTES).splitlines()))
    except csv.Error as cause:
        refuse_file(path, f"This is not a table: {cause}.")
    header = rows[0] if rows else []
    if not {"file_id", "split"} <= set(header):
        refuse_file(path, f"A partition has the columns file_id and split, not {', '.join(header) or 'none'}.")
    name, split = header.index("file_id"), header.index("split")
    listed: dict[str, set[str]] = defaultdict(set)
    for line, row in enumerate(rows[1:], start=2):
        if not row:
            continue
        if len(row) != len(header) or row[split] not in SUBSET_WORDS:
            refuse_file(path, f"Line {line} does not name an image and a subset: {','.join(row)}")
        listed[SUBSET_WORDS[row[split]]].add(row[name])
    return listed
