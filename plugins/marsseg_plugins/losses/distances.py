"""Distances from the boundaries of classes, for the boundary loss."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np


def signed_distances(masks: np.ndarray, num_classes: int, ignored: Collection[int]) -> np.ndarray:
    """Masks (B, H, W) uint8 → (B, H, W, K) float32: the signed distance to each class's boundary, in pixels.

    Outside of a class the Euclidean distance to its nearest pixel, 1 or more; inside, 1 minus the distance to the
    nearest pixel that is not of it, 0 or less. All 0 for a class that an image lacks, for ignored classes, and for a
    class that fills its image: it has no boundary.
    """
    from scipy import ndimage

    distances = np.zeros((*masks.shape, num_classes), np.float32)
    for mask, maps in zip(masks, distances, strict=True):
        present = np.flatnonzero(np.bincount(mask.ravel(), minlength=num_classes)[:num_classes])
        for c in present:
            inside = mask == c
            if c in ignored or inside.all():
                continue
            outward = ndimage.distance_transform_edt(~inside)
            inward = ndimage.distance_transform_edt(inside)
            maps[..., c] = np.where(inside, 1 - inward, outward)
    return distances
