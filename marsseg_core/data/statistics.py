"""Count classes in masks, and compute class weights."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from .arrays import SegmentationData


def class_pixels(data: SegmentationData, items: np.ndarray | None = None) -> tuple[int, ...]:
    """Count the pixels of each class in all masks, or in those with the indices `items`; void is left out."""
    counts = data.label_counts if items is None else data.label_counts[items]
    return tuple(int(pixels) for pixels in counts[:, :-1].sum(axis=0, dtype=np.int64))


def balanced_weights(pixels: Sequence[int] | np.ndarray, counted: Collection[int]) -> np.ndarray:
    """Compute the balanced weight n / (K · n_c) of each class.

    Args:
        pixels: (classes,) the number n_c of pixels of each class
        counted: the classes over which the number of pixels n and the number of classes K are taken

    Returns:
        (classes,) float64; NaN where n_c is 0
    """
    n = np.asarray(pixels, np.float64)
    chosen = np.isin(np.arange(len(n)), list(counted))
    weights: np.ndarray = np.divide(n[chosen].sum(), chosen.sum() * n, out=np.full(len(n), np.nan), where=n > 0)
    return weights


def rarest_class(data: SegmentationData) -> int | None:
    """Return the class that is in the fewest images but at least one, not ignored; None if nothing is labelled."""
    return rarest_items(data, np.arange(len(data)))[0]


def rarest_items(data: SegmentationData, items: np.ndarray) -> tuple[int | None, np.ndarray]:
    """Find the rarest class: of the classes that are not ignored, the one in the fewest of the items but at least one.

    Args:
        data: a data set
        items: the indices of some of its images

    Returns:
        The class, or None if nothing is labelled, and the items that contain it.
    """
    contains = data.label_counts[items, :-1] > 0
    present = [c for c in data.labelled_classes if contains[:, c].any()]
    if not present:
        return None, items[:0]
    rarest = min(present, key=lambda c: int(contains[:, c].sum()))
    return rarest, items[contains[:, rarest]]


def items_with(data: SegmentationData, items: np.ndarray, c: int) -> np.ndarray:
    """Return those of the items that contain class `c`."""
    chosen: np.ndarray = items[data.label_counts[items, c] > 0]
    return chosen
