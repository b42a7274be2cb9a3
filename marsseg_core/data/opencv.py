"""Use OpenCV: with one thread, and for any number of channels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np


def opencv() -> Any:
    """Import OpenCV, limit it to one thread, and return its module.

    The workers of the input pipeline run side by side and share the cores with the training. Call this function inside
    of those that use OpenCV: its import takes a tenth of a second.
    """
    import cv2

    cv2.setNumThreads(1)
    return cv2


def by_channels(function: Callable[[np.ndarray], Any], image: np.ndarray) -> np.ndarray:
    """Apply a function of OpenCV, such as a filter, to an image of any number of channels.

    OpenCV takes at most 128 channels, and with other numbers than 1, 3 and 4 it interpolates with fractions of 5 bits.

    Args:
        function: It takes and returns images of 1, 3 or 4 channels; OpenCV leaves out the last axis of one channel. Its
            argument is contiguous and may be changed.
        image: (H, W, C). It may be changed if the function changes its argument.

    Returns:
        The new image, (H, W, C).
    """
    channels = image.shape[-1]
    if channels in (1, 3, 4):
        result: np.ndarray = function(np.ascontiguousarray(image))
        return result.reshape(*image.shape[:2], channels)
    sizes = [4] * (channels // 4) + {0: [], 1: [1], 2: [1, 1], 3: [3]}[channels % 4]
    parts = np.split(image, np.cumsum(sizes)[:-1], axis=-1)
    return np.concatenate([by_channels(function, part.copy()) for part in parts], axis=-1)
