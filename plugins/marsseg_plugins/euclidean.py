"""Compute Euclidean distances in images."""

from __future__ import annotations

import numpy as np

from marsseg_core.plugin_api import opencv


def distances_to(pixels: np.ndarray) -> np.ndarray:
    """Return the distance of each pixel to the nearest of `pixels`, (H, W) bool with at least one True, as float64.

    The distances are exact; those above 1,000 pixels may differ by a thousandth of a pixel.
    """
    cv2 = opencv()
    distances = cv2.distanceTransform((~pixels).view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    # OpenCV rounds to float32, but squares of distances are whole numbers.
    exact: np.ndarray = np.sqrt(np.rint(np.square(distances, dtype=np.float64)))
    return exact


def rectangle_around(pixels: np.ndarray) -> tuple[slice, slice]:
    """Return the rows and columns of the smallest rectangle around `pixels`, (H, W) bool with at least one True."""
    rows, columns = (np.flatnonzero(pixels.any(axis=axis)) for axis in (1, 0))
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
