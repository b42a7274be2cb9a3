"""Filter images: the code shared by `blur` and `elastic`."""

from __future__ import annotations

import numpy as np

from marsseg_core.plugin_api import by_channels, opencv


def gaussian_filter(image: np.ndarray, sigma: float, truncate: float, border: str) -> np.ndarray:
    """Apply a Gaussian filter to an image (H, W, C) float32, which may be changed in place; return the result.

    `sigma` is the standard deviation in pixels, and the filter ends after `truncate` standard deviations. `border` is
    OpenCV's name of how the image continues beyond its edges.
    """
    cv2 = opencv()
    side = 2 * int(truncate * sigma + 0.5) + 1
    return by_channels(
        lambda part: cv2.GaussianBlur(part, (side, side), sigma, dst=part, borderType=getattr(cv2, border)), image
    )
