"""Compute distances from the boundaries of classes, for the boundary loss."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np


def signed_distances(masks: np.ndarray, num_classes: int, ignore_classes: Collection[int]) -> np.ndarray:
    """Return the signed distance of each pixel to the boundary of each class, in pixels.

    Masks (B, H, W) uint8 → distances (B, H, W, K) float32. Void pixels and pixels of ignored classes are left out.
    Outside of a class, the distance is the Euclidean distance to the nearest pixel of the class: 1 or more. Inside, it
    is 1 minus the distance to the nearest pixel of another class: 0 or less. It is 0 where there is no such pixel: for
    a class that an image does not have, and in an image of one class. It is also 0 for ignored classes, and on the
    pixels that are left out.
    """
    from scipy import ndimage

    distances = np.zeros((*masks.shape, num_classes), np.float32)
    counted = [c for c in range(num_classes) if c not in ignore_classes]
    for mask, maps in zip(masks, distances, strict=True):
        pixels = np.bincount(mask.ravel(), minlength=num_classes)
        present = [c for c in counted if pixels[c]]
        if len(present) < 2:
            continue
        to_class = np.stack([ndimage.distance_transform_edt(mask != c) for c in present], axis=-1)
        inside = mask[..., None] == present
        to_other = np.where(inside, np.inf, to_class).min(axis=-1, keepdims=True)
        known = inside.any(axis=-1, keepdims=True)
        maps[..., present] = np.where(known, np.where(inside, 1 - to_other, to_class), 0)
    return distances
