"""Find identical and nearly identical images, and identical masks.

Two images are *nearly identical* if their difference hashes differ in at most HASH_BITS of 256 bits, and the
correlation of their pixels is at least CORRELATION. A bit of the difference hash says whether one of 16 × 16 cells is
brighter than the cell to its left. Images that differ in exposure, a little noise or compression are nearly identical;
mirrored or shifted images are not.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from .arrays import SegmentationData
from .chunks import chunks
from .groups import ItemGroup
from .near import near_labels

HASH_SIDE: Final = 16
HASH_BITS: Final = 20
CORRELATION: Final = 0.95


def digest_of(item: np.ndarray) -> bytes:
    """Return a hash of an item of an array (N, …)."""
    return hashlib.blake2b(np.ascontiguousarray(item).data, digest_size=16).digest()


def digests(array: np.ndarray) -> list[bytes]:
    """Return a hash of each item of an array (N, …)."""
    return [digest_of(item) for _, chunk in chunks(array) for item in chunk]


def identical_groups(hashes: Sequence[bytes]) -> tuple[ItemGroup, ...]:
    """Return the groups of two or more items with equal hashes: sorted indices, in the order of their first items."""
    members: dict[bytes, list[int]] = defaultdict(list)
    for item, digest in enumerate(hashes):
        members[digest].append(item)
    return tuple(tuple(group) for group in members.values() if len(group) > 1)


@dataclass(frozen=True)
class Copies:
    """Hold groups of copies of images.

    Attributes:
        identical: groups of images that are identical byte by byte
        near: groups of nearly identical images, including identical ones
    """

    identical: tuple[ItemGroup, ...]
    near: tuple[ItemGroup, ...]


def image_copies(*stacks: np.ndarray) -> Copies:
    """Find the copies among images (N, H, W, C) uint8 of several arrays, whose images have one size.

    The items are numbered consecutively over all arrays.
    """
    hashes = [digest for stack in stacks for digest in digests(stack)]
    first: dict[bytes, int] = {}
    original = np.array([first.setdefault(digest, item) for item, digest in enumerate(hashes)], np.int64)
    distinct = np.flatnonzero(original == np.arange(len(hashes)))
    codes = np.concatenate([_difference_hashes(stack) for stack in stacks])[distinct]
    starts = np.cumsum([0, *map(len, stacks)])

    def pixels(index: int) -> np.ndarray:
        item = distinct[index]
        stack = int(np.searchsorted(starts, item, side="right")) - 1
        return np.asarray(stacks[stack][item - starts[stack]], np.float32).ravel()

    def alike(index: int, other: int) -> bool:
        return _correlation(pixels(index), pixels(other)) >= CORRELATION

    label_of_distinct = np.empty(len(hashes), np.int64)
    label_of_distinct[distinct] = distinct[near_labels(codes, HASH_BITS, alike)]
    labels = label_of_distinct[original]
    return Copies(identical_groups(hashes), identical_groups([label.tobytes() for label in labels]))


def _correlation(first: np.ndarray, second: np.ndarray) -> float:
    """Compute the correlation of the pixels of two images (float32); 0 if one of them has a single value."""
    first, second = first - first.mean(), second - second.mean()
    scale = float(np.sqrt((first @ first) * (second @ second)))
    return float(first @ second) / scale if scale else 0.0


def _difference_hashes(images: np.ndarray) -> np.ndarray:
    """Compute the difference hashes of images (N, H, W, C) as (N, 4) uint64."""
    hashes = []
    for _, chunk in chunks(images):
        cells = _cell_means(_cell_means(chunk.sum(axis=-1, dtype=np.uint32), HASH_SIDE, 1), HASH_SIDE + 1, 2)
        bits = cells[:, :, 1:] > cells[:, :, :-1]
        hashes.append(np.packbits(bits.reshape(len(chunk), -1), axis=1).view(np.uint64))
    return np.concatenate(hashes)


def _cell_means(grey: np.ndarray, cells: int, axis: int) -> np.ndarray:
    """Compute the means of cells of nearly equal size along an axis; an axis shorter than `cells` repeats pixels."""
    length = grey.shape[axis]
    edges = np.arange(cells) * length // cells
    sizes = np.maximum(np.diff(np.append(edges, length)), 1)
    means: np.ndarray = np.add.reduceat(grey, edges, axis=axis, dtype=np.float32) / np.expand_dims(
        sizes.astype(np.float32), tuple(a for a in range(grey.ndim) if a != axis)
    )
    return means


def mask_groups(data: SegmentationData) -> tuple[tuple[ItemGroup, ...], tuple[ItemGroup, ...]]:
    """Find groups of items with identical masks; return the groups of aliens, and the other groups.

    Aliens are fake images that were added to a data set and all have the same mask, as in the course's data set. Groups
    of aliens have a mask of at least two classes that are not ignored, and different images. The others share a mask of
    a single class, as real images do, or are duplicates of image and mask. Masks without a labelled pixel are left out.
    """
    aliens: list[ItemGroup] = []
    others: list[ItemGroup] = []
    for group in identical_groups(digests(data.masks)):
        classes = np.count_nonzero(data.label_counts[group[0], list(data.labelled_classes)])
        if not classes:
            continue
        first = data.images[group[0]]
        differ = classes > 1 and any(not np.array_equal(data.images[item], first) for item in group[1:])
        (aliens if differ else others).append(group)
    return tuple(aliens), tuple(others)
