"""Counts of classes in masks."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from .arrays import SegmentationData


def class_pixels(data: SegmentationData, items: np.ndarray | None = None) -> tuple[int, ...]:
    """Pixels of each class in all masks or in those of `items` (indices); void is left out."""
    counts = data.label_counts if items is None else data.label_counts[items]
    return tuple(int(pixels) for pixels in counts[:, :-1].sum(axis=0, dtype=np.int64))


def balanced_weights(pixels: Sequence[int] | np.ndarray, counted: Collection[int]) -> np.ndarray:
    """Compute n / (K · n_c) for each class, with n and K taken over the classes `counted`.

    Args:
        pixels: (K,) how many pixels each class has, n_c
        counted: the classes that count

    Returns:
        (K,) float64; NaN where n_c is 0
    """
    n = np.asarray(pixels, np.float64)
    chosen = np.isin(np.arange(len(n)), list(counted))
    weights: np.ndarray = np.divide(n[chosen].sum(), chosen.sum() * n, out=np.full(len(n), np.nan), where=n > 0)
    return weights


def class_images(data: SegmentationData) -> tuple[int, ...]:
    """Images that hold each class."""
    return tuple(int(images) for images in (data.label_counts[:, :-1] > 0).sum(axis=0))


def rarest_class(data: SegmentationData) -> int | None:
    """The class that counts and is in the fewest images, but in some; None where nothing is labelled."""
    return rarest_items(data, np.arange(len(data)))[0]


def rarest_items(data: SegmentationData, items: np.ndarray) -> tuple[int | None, np.ndarray]:
    """Find the class that counts and is in the fewest of these items, but in some.

    Args:
        data: a data set
        items: indices of some of its images

    Returns:
        The class, or None where nothing is labelled, and those of the items that hold it.
    """
    held = data.label_counts[items, :-1] > 0
    present = [c for c in data.labelled_classes if held[:, c].any()]
    if not present:
        return None, items[:0]
    rarest = min(present, key=lambda c: int(held[:, c].sum()))
    return rarest, items[held[:, rarest]]
