"""Find images and masks in separate files, read them pair by pair and write them to the cache."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, NoReturn

import numpy as np

from marsseg_core.plugin_api import (
    GROUPS,
    IMAGES,
    MASKS,
    SUBSET,
    SUBSETS,
    VOID,
    RequestError,
    Writer,
    append_names,
    get_logger,
    image_size,
    note_warnings,
    refuse_file,
    some,
    tile_name,
    to_colour,
    to_grey,
)

from .layouts.walk import is_picture
from .resizing import Resizing

# How many images are asked for their sizes, and how many sizes are listed, where they should be equal.
_MOST_ASKED: Final = 1_000
_MOST_LISTED: Final = 6

# How many names of classes a message lists.
_CLASSES_SHOWN: Final = 8

Colour = Literal["as_is", "grey", "rgb"]
Unpaired = Literal["refuse", "skip"]


@dataclass(frozen=True)
class Pair:
    """The files of an image and its mask.

    Attributes:
        image: the file of the image
        mask: the file of the mask
        name: the name of the image in the data set: its path there, with "/" between folders; unique
        group: the number of the group, or None
        rejects: further masks, whose pixels above 0 become background
        nulls: values in the mask that mean "no label"
        subset: the subset that the data set gives the image ("train", "validation" or "test"); empty for none
    """

    image: Path
    mask: Path
    name: str
    group: int | None = None
    rejects: tuple[Path, ...] = ()
    nulls: tuple[int, ...] = ()
    subset: str = ""


def digest(pairs: Sequence[Pair]) -> str:
    """Return a hash of the names, groups and subsets of pairs, which the cache depends on beside their files."""
    described = repr([(pair.name, pair.group, pair.subset) for pair in pairs])
    return hashlib.blake2b(described.encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()


def pictures_in(folder: Path, *, recursive: bool = False) -> list[Path]:
    """Return the image files in a folder, sorted by name.

    Hidden files are left out, and links to folders are not followed. Raises RequestError if the folder does not exist
    or cannot be read.
    """
    pictures = []

    def fail(cause: OSError) -> NoReturn:
        refuse_file(cause.filename or folder, f"This folder cannot be read: {cause.strerror}.")

    for parent, folders, names in os.walk(folder, onerror=fail):
        folders[:] = sorted(name for name in folders if recursive and not name.startswith("."))
        pictures += [Path(parent, name) for name in sorted(names) if not name.startswith(".") and is_picture(name)]
    return pictures


def report_unpaired(faults: Sequence[str], unpaired: Unpaired, where: Path, *, remaining: int) -> None:
    """Raise RequestError with all faults, each a sentence; with `unpaired` "skip", log a warning instead.

    Where nothing remains without what has a fault, the error is raised in any case.
    """
    if not faults:
        return
    if not remaining:
        raise RequestError(" ".join(faults), where=str(where))
    if unpaired == "refuse":
        raise RequestError(" ".join(faults), where=str(where), hint="Set unpaired=skip to leave them out.")
    get_logger(__name__).warning("Left out of %s: %s", where.name, " ".join(faults))


def spread(pairs: Sequence[Pair], limit: int | None) -> list[Pair]:
    """Return at most `limit` of the pairs, evenly spread."""
    count = len(pairs) if limit is None else min(limit, len(pairs))
    return [pairs[i * len(pairs) // count] for i in range(count)]


def check_ids(path: Path, mask: np.ndarray, class_names: Sequence[str]) -> None:
    """Raise RequestError if a mask holds a value that is not a class."""
    beyond = mask[(mask >= len(class_names)) & (mask != VOID)]
    if beyond.size:
        refuse_file(
            path,
            f"The mask holds the value {beyond[0]}; the classes are 0 to {len(class_names) - 1} "
            f"({some(class_names, _CLASSES_SHOWN)}), and {VOID} for void.",
        )


def write_pairs(
    writer: Writer,
    pairs: Sequence[Pair],
    read: Callable[[Pair], tuple[np.ndarray, np.ndarray]],
    resizing: Resizing,
    colour: Colour,
) -> None:
    """Read each pair and append its items: the whole image and mask, or their tiles.

    `read` returns an image (H, W, C) and a mask (H, W). The tiles of an image without a group become a group. Names,
    subsets and remarks about the tiles are stored with the data. Raises RequestError if the items differ in size or
    channels.
    """
    sizes: list[tuple[int, int]] = []
    first: tuple[int, ...] = ()
    tiled = resizing.resize == "tiles"
    given = any(pair.subset for pair in pairs)
    for position, pair in enumerate(pairs):
        image, mask = read(pair)
        sizes.append((mask.shape[0], mask.shape[1]))
        image = as_coloured(image, colour)
        for piece, labels, place in resizing.pieces(image, mask):
            first = first or piece.shape
            check_same(pair.image, piece.shape, [each.image for each in pairs], first)
            writer.append(IMAGES, piece[None])
            writer.append(MASKS, labels[None])
            append_names(writer, [tile_name(pair.name, *place) if tiled else pair.name])
            if given:
                writer.append(SUBSET, np.array([SUBSETS.index(pair.subset) if pair.subset else -1], np.int8))
            if tiled or pair.group is not None:
                group = position if pair.group is None else pair.group
                writer.append(GROUPS, np.array([group], np.int64))
        writer.progress(position + 1, len(pairs))
    note_warnings(writer, resizing.remarks(sizes))


def as_coloured(image: np.ndarray, colour: Colour) -> np.ndarray:
    """Return an image (H, W, C) with the channels that were requested."""
    return to_grey(image) if colour == "grey" else to_colour(image) if colour == "rgb" else image


def check_same(path: Path, shape: tuple[int, ...], paths: Sequence[Path], first: tuple[int, ...]) -> None:
    """Raise RequestError if an image differs in size or channels from the first one of `paths`."""
    if shape == first:
        return
    first_path = paths[0]
    if shape[-1] != first[-1]:
        kinds = {1: "grey", 3: "in colour"}
        message = f"This image is {kinds[shape[-1]]}, but {first_path.name} is {kinds[first[-1]]}."
        refuse_file(path, message, hint="Convert all images with colour=grey or colour=rgb.")
    refuse_file(
        path,
        f"This image has {shape[0]} × {shape[1]} pixels, but {first_path.name} has {first[0]} × {first[1]}.",
        hint=f"{_sizes(paths)}Set resize=whole or resize=tiles, with height and width, to get items of one size.",
    )


def _sizes(paths: Sequence[Path]) -> str:
    """Return a sentence with the sizes of images, the most frequent ones first, without those that cannot be read."""
    counts: Counter[tuple[int, int]] = Counter()
    for path in paths[:_MOST_ASKED]:
        with suppress(RequestError):
            counts[image_size(path)] += 1
    listed = [f"{rows} × {columns} ({count:,}×)" for (rows, columns), count in counts.most_common(_MOST_LISTED)]
    more = f" and {len(counts) - _MOST_LISTED:,} more" if len(counts) > _MOST_LISTED else ""
    of = f"Sizes of the first {_MOST_ASKED:,} images" if len(paths) > _MOST_ASKED else "Sizes"
    return f"{of}: {', '.join(listed)}{more}. " if len(counts) > 1 else ""
