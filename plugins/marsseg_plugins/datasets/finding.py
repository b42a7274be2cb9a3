"""Find the pairs of a folder in its layout, and say what was read, what was not, and why."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, Literal

from marsseg_core.plugin_api import counted, get_logger, refuse_file, some

from .item_table import apply_item_table
from .layouts.base import Found, Item, Wanted
from .layouts.choice import HOW_TO_SAY, find
from .pairs import Pair, Unpaired, report_unpaired, spread

# The layouts in which the names of files decide on pairs.
_BY_NAMES: Final = ("two_folders", "suffix", "pattern")

Groups = Literal["subfolders", "none"]


def find_pairs(
    root: Path,
    layout: str,
    wanted: Wanted,
    unpaired: Unpaired,
    groups: Groups,
    limit: int | None,
    read_elsewhere: Sequence[Path] = (),
) -> tuple[Found, list[Pair]]:
    """Return what the layout finds, and its pairs with their groups, at most `limit` of them.

    Messages say what was read, and what was not, apart from the files that are read elsewhere. Raises RequestError if
    nothing can be read.
    """
    found = find(root, layout, wanted)
    faults = _faults(root, found.unpaired)
    if faults and not found.items and found.layout in _BY_NAMES:
        refuse_file(root, f"No image has a mask. {' '.join(faults)}", hint=HOW_TO_SAY)
    report_unpaired(faults, unpaired, root, remaining=len(found.items))
    title = Path(os.path.abspath(root)).name  # a path such as "." has no name
    if found.what:
        # Who has named the layout needs no warning of it.
        level = logging.WARNING if layout == "auto" else logging.INFO
        get_logger(__name__).log(level, "%s has the layout %s: %s.", title, found.layout, found.what)
    for line in _warnings(root, title, found, read_elsewhere):
        get_logger(__name__).warning("%s", line)
    if not found.items:
        refuse_file(root, "There are no images with masks in this folder.")
    return found, pairs_of(root, found, unpaired, groups, limit)


def pairs_of(root: Path, found: Found, unpaired: Unpaired, groups: Groups, limit: int | None) -> list[Pair]:
    """Return the pairs of what a layout has found, as the table items.csv says, and at most `limit` of them."""
    numbers = _groups(found.items) if groups == "subfolders" else [None] * len(found.items)
    pairs = [
        Pair(item.image, item.mask, item.name, group, subset=item.subset)
        for item, group in zip(found.items, numbers, strict=True)
    ]
    if root.is_dir():
        pairs = apply_item_table(root, pairs, groups=groups == "subfolders", unpaired=unpaired)
    return spread(pairs, limit)


def _faults(root: Path, unpaired: Mapping[str, Sequence[Path]]) -> list[str]:
    """Return a sentence for each fault, such as "2 images have no mask: a.png, b.png."."""
    faults = []
    for fault, paths in unpaired.items():
        if paths:
            names = some([_name(root, path) for path in paths])
            faults.append(f"{counted(len(paths), fault, _plural(fault))}: {names}.")
    return faults


def _plural(fault: str) -> str:
    """Return the plural of "image has no mask", or of "image of the table does not exist".

    >>> _plural("image of the table does not exist")
    'images of the table do not exist'
    """
    subject, _, rest = fault.partition(" ")
    if rest.startswith("file "):
        subject, rest = f"{subject} file", rest.removeprefix("file ")
    return f"{subject}s {rest.replace('has no', 'have no').replace('does not', 'do not')}"


def _warnings(root: Path, title: str, found: Found, read_elsewhere: Sequence[Path]) -> list[str]:
    lines = []
    if found.unlabelled:
        count = counted(len(found.unlabelled), "image")
        lines.append(f"{title}: {count} without labels can be predicted, or used by --semi, but not scored.")
    reasons = [
        f"{len(paths):,} × {reason} ({some([_name(root, path) for path in paths])})"
        for reason, listed in found.left_out.items()
        if (paths := [path for path in listed if path not in read_elsewhere])
    ]
    if reasons:
        lines.append(f"Not read in {title}: {'; '.join(reasons)}.")
    return lines + [f"{title}: {remark}" for remark in found.remarks]


def _name(root: Path, path: Path) -> str:
    folder = root if root.is_dir() else root.parent
    return str(path.relative_to(folder)) if folder in path.parents else str(path)


def _groups(items: Sequence[Item]) -> list[int | None]:
    """Return the group of each item: a number for each place; an item without a place is a group of its own."""
    if not any(item.place for item in items):
        return [None] * len(items)
    keys = [item.place or f"/{os.path.splitext(item.name)[0]}" for item in items]
    numbers = {key: number for number, key in enumerate(sorted(set(keys)))}
    return [numbers[key] for key in keys]
