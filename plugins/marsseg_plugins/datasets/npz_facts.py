"""Read what an .npz file says about its classes, the scaling of its values, and its items."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from marsseg_core.plugin_api import SUBSET_WORDS, SUBSETS, Scaling, nearest

from .archive import NpzArchive

_NAMES: Final = "names"
_SPLIT: Final = "split"
_CLASS_NAMES: Final = "class_names"
_CLASS_COLOURS: Final = "class_colours"
_CLASS_IGNORED: Final = "class_ignored"
_SCALING: Final = "scaling"


@dataclass(frozen=True)
class NpzFacts:
    """Hold what a file says about all its items; None stands for what it does not say.

    Attributes:
        class_names: the names of the classes
        class_colours: the red, green and blue of each class
        ignore_classes: the ids of the classes that losses and metrics ignore
        scaling: how the values became 0…255 before they were written
    """

    class_names: tuple[str, ...] | None
    class_colours: tuple[tuple[int, int, int], ...] | None
    ignore_classes: tuple[int, ...] | None
    scaling: Scaling | None


def read_facts(path: Path) -> NpzFacts:
    """Read what an .npz file says about all its items. Raises RequestError if this cannot be used."""
    with NpzArchive(path) as archive:
        names = _class_names(archive)
        count = None if names is None else len(names)
        colours = ignored = None
        if archive.has(_CLASS_COLOURS):
            values = archive.small(_CLASS_COLOURS, (count, 3), "iu")
            if values.min() < 0 or values.max() > 255:
                archive.refuse(f"{_CLASS_COLOURS} has {values.min()} to {values.max()}; colours are 0 to 255.")
            colours = tuple((int(red), int(green), int(blue)) for red, green, blue in values)
        if archive.has(_CLASS_IGNORED):
            ignored = tuple(np.flatnonzero(archive.small(_CLASS_IGNORED, (count,), "b")).tolist())
        return NpzFacts(names, colours, ignored, _scaling(archive))


def item_names(archive: NpzArchive, count: int) -> list[str] | None:
    """Return the names of the `count` items; None if the file has none."""
    if not archive.has(_NAMES):
        return None
    names = [name for texts in archive.texts(_NAMES, count) for name in texts]
    if "" in names:
        archive.refuse(f"Item {names.index('')} of {_NAMES} is empty.")
    return names


def item_subsets(archive: NpzArchive, count: int) -> np.ndarray | None:
    """Return the position in SUBSETS of the subset of each of the `count` items, or -1; None if there is no split."""
    if not archive.has(_SPLIT):
        return None
    number_of_word = {"": -1} | {word: SUBSETS.index(subset) for word, subset in SUBSET_WORDS.items()}
    words = [word for texts in archive.texts(_SPLIT, count) for word in texts]
    if unknown := set(words) - set(number_of_word):
        word = min(unknown)
        archive.refuse(
            f"Item {words.index(word)} of {_SPLIT} is {word!r}, which is not a subset.",
            hint=nearest(word, SUBSETS, listing="Subsets"),
        )
    return np.array([number_of_word[word] for word in words], np.int8)


def _class_names(archive: NpzArchive) -> tuple[str, ...] | None:
    if not archive.has(_CLASS_NAMES):
        return None
    names = tuple(name for texts in archive.texts(_CLASS_NAMES) for name in texts)
    if "" in names:
        archive.refuse(f"Item {names.index('')} of {_CLASS_NAMES} is empty.")
    return names


def _scaling(archive: NpzArchive) -> Scaling | None:
    if not archive.has(_SCALING):
        return None
    archive.check_scaled()
    (text,) = next(archive.texts(_SCALING, 1))
    try:
        return Scaling.from_json(json.loads(text))
    except (ValueError, OverflowError, RecursionError) as cause:
        archive.refuse(f"{_SCALING} is not as marsseg writes it: {cause}.")
