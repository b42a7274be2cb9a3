"""Which images are copies of one another, and which masks.

Images are *nearly identical* when their difference hashes (is each of 16 × 16 cells brighter than the one to its
left?) differ in at most HASH_BITS of 256 bits, and then their pixels correlate by at least CORRELATION. Another
exposure, a little noise and stronger compression leave an image nearly identical; a mirrored or shifted one is not.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from .arrays import SegmentationData
from .groups import ItemGroup
from .pieces import pieces

HASH_SIDE: Final = 16
HASH_BITS: Final = 20
CORRELATION: Final = 0.95


def digests(array: np.ndarray) -> list[bytes]:
    """A hash of each item of (N, …)."""
    return [hashlib.blake2b(item.data, digest_size=16).digest() for _, block in pieces(array) for item in block]


def identical_groups(hashes: Sequence[bytes]) -> tuple[ItemGroup, ...]:
    """Items with equal hashes: sorted indices of two and more, by the first of each group."""
    members: dict[bytes, list[int]] = defaultdict(list)
    for item, digest in enumerate(hashes):
        members[digest].append(item)
    return tuple(tuple(group) for group in members.values() if len(group) > 1)


@dataclass(frozen=True)
class Copies:
    """Groups of images: `identical` to the byte, and `near`ly so (with the identical ones among them)."""

    identical: tuple[ItemGroup, ...]
    near: tuple[ItemGroup, ...]


def image_copies(*stacks: np.ndarray) -> Copies:
    """The copies among images (N, H, W, C) uint8 of one or several stacks of one size, numbered through."""
    hashes = [digest for stack in stacks for digest in digests(stack)]
    first: dict[bytes, int] = {}
    original = np.array([first.setdefault(digest, item) for item, digest in enumerate(hashes)], np.int64)
    distinct = np.flatnonzero(original == np.arange(len(hashes)))
    codes = np.concatenate([_difference_hashes(stack) for stack in stacks])[distinct]
    starts = np.cumsum([0, *map(len, stacks)])

    def pixels(place: int) -> np.ndarray:
        item = distinct[place]
        stack = int(np.searchsorted(starts, item, side="right")) - 1
        return np.asarray(stacks[stack][item - starts[stack]], np.float32).ravel()

    label_of_distinct = np.empty(len(hashes), np.int64)
    label_of_distinct[distinct] = distinct[_near_labels(codes, pixels)]
    labels = label_of_distinct[original]
    return Copies(identical_groups(hashes), identical_groups([label.tobytes() for label in labels]))


def _near_labels(codes: np.ndarray, pixels: Callable[[int], np.ndarray]) -> np.ndarray:
    """(n,) for each image the first one of its group; groups are chained, pair by pair."""
    labels = np.arange(len(codes))
    for item in range(len(codes) - 1):
        others = codes[item + 1 :]
        # Most differ in the first quarter of the hash already.
        close = item + 1 + np.flatnonzero(_differing_bits(codes[item, :1], others[:, :1]) <= HASH_BITS)
        close = close[_differing_bits(codes[item], codes[close]) <= HASH_BITS]
        close = close[labels[close] != labels[item]]
        if len(close):
            own = pixels(item)
            for other in close:
                if _correlation(own, pixels(other)) >= CORRELATION:
                    labels[labels == labels[other]] = labels[item]
    # Chains may meet at a later image: the name of a group is its first.
    _, places, group = np.unique(labels, return_index=True, return_inverse=True)
    firsts: np.ndarray = places[group]
    return firsts


def _differing_bits(code: np.ndarray, others: np.ndarray) -> np.ndarray:
    differing: np.ndarray = np.bitwise_count(code ^ others).sum(axis=1, dtype=np.uint16)
    return differing


def _correlation(first: np.ndarray, second: np.ndarray) -> float:
    """Of the pixels of two images (float32); 0 where one of them is flat."""
    first, second = first - first.mean(), second - second.mean()
    scale = float(np.sqrt((first @ first) * (second @ second)))
    return float(first @ second) / scale if scale else 0.0


def _difference_hashes(images: np.ndarray) -> np.ndarray:
    """(N, 4) uint64: the bits of the difference hashes of images (N, H, W, C)."""
    hashes = []
    for _, block in pieces(images):
        cells = _cell_means(_cell_means(block.sum(axis=-1, dtype=np.uint32), HASH_SIDE, 1), HASH_SIDE + 1, 2)
        bits = cells[:, :, 1:] > cells[:, :, :-1]
        hashes.append(np.packbits(bits.reshape(len(block), -1), axis=1).view(np.uint64))
    return np.concatenate(hashes)


def _cell_means(grey: np.ndarray, cells: int, axis: int) -> np.ndarray:
    """Means along an axis over so many cells, as equal as they can be; one shorter than `cells` repeats its pixels."""
    length = grey.shape[axis]
    edges = np.arange(cells) * length // cells
    sizes = np.maximum(np.diff(np.append(edges, length)), 1)
    means: np.ndarray = np.add.reduceat(grey, edges, axis=axis, dtype=np.float32) / np.expand_dims(
        sizes.astype(np.float32), tuple(a for a in range(grey.ndim) if a != axis)
    )
    return means


def mask_groups(data: SegmentationData) -> tuple[tuple[ItemGroup, ...], tuple[ItemGroup, ...]]:
    """Groups of items with one identical mask: aliens, and the others. Masks without a label are like no other.

    Aliens have a mask of at least two classes that count, on images that differ. Genuine images share masks where these
    hold a single class; and an item copied whole, image and mask, is a duplicate.
    """
    aliens: list[ItemGroup] = []
    others: list[ItemGroup] = []
    for group in identical_groups(digests(data.masks)):
        classes = np.count_nonzero(data.label_counts[group[0], list(data.labelled_classes)])
        if not classes:
            continue
        differ = classes > 1 and len({data.images[item].tobytes() for item in group}) > 1
        (aliens if differ else others).append(group)
    return tuple(aliens), tuple(others)
