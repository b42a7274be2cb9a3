"""Counts of classes in masks."""

from __future__ import annotations

import numpy as np

from .arrays import SegmentationData


def class_pixels(masks: np.ndarray, num_classes: int) -> tuple[int, ...]:
    """Pixels of each class in masks (…) uint8; void is left out."""
    counts = np.zeros(256, np.int64)
    for mask in masks:  # one at a time: bincount turns its input into 8-byte integers
        counts += np.bincount(mask.ravel(), minlength=256)
    return tuple(int(count) for count in counts[:num_classes])


def class_images(data: SegmentationData) -> tuple[int, ...]:
    """Images that hold each class."""
    return tuple(int((data.masks == c).any(axis=(1, 2)).sum()) for c in range(data.num_classes))


def rarest_class(data: SegmentationData) -> int | None:
    """The class that counts and is in the fewest images, but in some; None where nothing is labelled."""
    images = class_images(data)
    present = [c for c in data.labelled_classes if images[c]]
    return min(present, key=lambda c: images[c]) if present else None
