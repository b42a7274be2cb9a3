"""Images and masks in files of their own: found, read pair by pair, written into a prepared set."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, NoReturn

import numpy as np

from marsseg_core.plugin_api import (
    GROUPS,
    IMAGES,
    MASKS,
    SUFFIXES,
    VOID,
    RequestError,
    Writer,
    get_logger,
    note_remarks,
    refuse_file,
    to_colour,
    to_grey,
)

from .resizing import Resizing

Colour = Literal["as_is", "grey", "rgb"]
Unpaired = Literal["refuse", "skip"]

_SHOWN: Final = 3


@dataclass(frozen=True)
class Pair:
    """An image and what labels it.

    `group` is a number or None; `rejects` are masks of what must not count; `nulls` are values of no class.
    """

    image: Path
    mask: Path
    group: int | None = None
    rejects: tuple[Path, ...] = ()
    nulls: tuple[int, ...] = ()


def pictures_in(folder: Path, *, recursive: bool = False) -> list[Path]:
    """The PNG, JPEG and TIFF files in a folder, by name; hidden ones are left out. Links to folders are not followed.

    Raises RequestError where the folder is not there or cannot be read.
    """
    found = []

    def fail(cause: OSError) -> NoReturn:
        refuse_file(cause.filename or folder, f"This folder cannot be read: {cause.strerror}.")

    for parent, folders, names in os.walk(folder, onerror=fail):
        folders[:] = sorted(name for name in folders if recursive and not name.startswith("."))
        found += [Path(parent, name) for name in sorted(names) if not name.startswith(".") and _is_picture(name)]
    return found


def _is_picture(name: str) -> bool:
    return os.path.splitext(name)[1].lower() in SUFFIXES


def some(names: Sequence[str]) -> str:
    """The first of the names, and how many more there are."""
    more = f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def report_unpaired(faults: Sequence[str], unpaired: Unpaired, where: Path) -> None:
    """Each fault is a sentence. RequestError that says them all, or a warning where they are to be skipped."""
    if not faults:
        return
    if unpaired == "refuse":
        raise RequestError(" ".join(faults), where=str(where), hint="With unpaired=skip they are left out.")
    get_logger(__name__).warning("Left out of %s: %s", where.name, " ".join(faults))


def spread(pairs: Sequence[Pair], limit: int | None) -> list[Pair]:
    """At most `limit` of the pairs, evenly spread."""
    count = len(pairs) if limit is None else min(limit, len(pairs))
    return [pairs[i * len(pairs) // count] for i in range(count)]


def check_ids(path: Path, mask: np.ndarray, class_names: Sequence[str]) -> None:
    """RequestError where a mask holds what is no class."""
    beyond = mask[(mask >= len(class_names)) & (mask != VOID)]
    if beyond.size:
        refuse_file(
            path,
            f"The mask holds the value {beyond[0]}; the classes are 0 to {len(class_names) - 1} "
            f"({', '.join(class_names)}), and {VOID} for void.",
        )


def write_pairs(
    writer: Writer,
    pairs: Sequence[Pair],
    read: Callable[[Pair], tuple[np.ndarray, np.ndarray]],
    resizing: Resizing,
    colour: Colour,
) -> None:
    """Read each pair, (H, W, C) and (H, W), and append what it becomes.

    The tiles of an image are a group, if it is in none. What is to be said of them is noted. Raises RequestError where
    the items differ in size or channels.
    """
    sizes: list[tuple[int, int]] = []
    first: tuple[int, ...] = ()
    tiled = resizing.resize == "tiles"
    for position, pair in enumerate(pairs):
        image, mask = read(pair)
        sizes.append((mask.shape[0], mask.shape[1]))
        image = to_grey(image) if colour == "grey" else to_colour(image) if colour == "rgb" else image
        for piece, labels in resizing.pieces(image, mask):
            first = first or piece.shape
            if piece.shape != first:
                _refuse_other(pair.image, piece.shape, pairs[0].image, first)
            writer.append(IMAGES, piece[None])
            writer.append(MASKS, labels[None])
            if tiled or pair.group is not None:
                group = position if pair.group is None else pair.group
                writer.append(GROUPS, np.array([group], np.int64))
        writer.progress(position + 1, len(pairs))
    note_remarks(writer, resizing.remarks(sizes))


def _refuse_other(path: Path, shape: tuple[int, ...], first_path: Path, first: tuple[int, ...]) -> NoReturn:
    if shape[-1] != first[-1]:
        kinds = {1: "grey", 3: "in colour"}
        what = f"This image is {kinds[shape[-1]]}, {first_path.name} is {kinds[first[-1]]}."
        refuse_file(path, what, hint="Make them alike with colour=grey or colour=rgb.")
    refuse_file(
        path,
        f"This image has {shape[0]} × {shape[1]} pixels, {first_path.name} has {first[0]} × {first[1]}.",
        hint="Make them alike with resize=whole or resize=tiles, and height and width.",
    )
