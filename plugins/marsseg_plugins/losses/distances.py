"""Compute distances from the boundaries of classes, for the boundary loss."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from ..euclidean import distances_to, rectangle_around


def signed_distances(masks: np.ndarray, num_classes: int, ignore_classes: Collection[int]) -> np.ndarray:
    """Return the signed distance of each pixel to the boundary of each class, in pixels.

    Masks (B, H, W) uint8 → distances (B, H, W, K) float32. Void pixels and pixels of ignored classes are left out.
    Outside a class, the distance is the Euclidean distance to the nearest pixel of the class: 1 or more. Inside, it
    is 1 minus the distance to the nearest pixel of another class: 0 or less. It is 0 where there is no such pixel: for
    a class that an image does not have, and in an image of one class. It is also 0 for ignored classes, and on the
    pixels that are left out.
    """
    distances = np.zeros((*masks.shape, num_classes), np.float32)
    counted = [c for c in range(num_classes) if c not in ignore_classes]
    for whole_mask, whole_maps in zip(masks, distances, strict=True):
        pixels = np.bincount(whole_mask.ravel(), minlength=num_classes)
        present = [c for c in counted if pixels[c]]
        if len(present) < 2:
            continue
        place = rectangle_around(np.isin(whole_mask, present))
        mask, maps = whole_mask[place], whole_maps[place]
        classes = [mask == c for c in present]
        to_class = [distances_to(inside) for inside in classes]
        for i, c in enumerate(present):
            to_other = np.minimum.reduce([*to_class[:i], *to_class[i + 1 :]])
            maps[..., c] = np.where(classes[i], 1 - to_other, to_class[i])
        maps[~np.logical_or.reduce(classes)] = 0
    return distances
