"""Convert images between grey and colour."""

from __future__ import annotations

import numpy as np
from PIL import Image


def to_grey(image: np.ndarray) -> np.ndarray:
    """Convert an image to grey; colours become their luma (Rec. 601).

    Args:
        image: (H, W, 1) or (H, W, 3) uint8

    Returns:
        (H, W, 1) uint8
    """
    return image if image.shape[-1] == 1 else np.asarray(Image.fromarray(image).convert("L"))[..., None]


def to_colour(image: np.ndarray) -> np.ndarray:
    """Convert an image to three channels: repeat the first channel, unless there are three already.

    Args:
        image: (H, W, C)

    Returns:
        (H, W, 3)
    """
    return image if image.shape[-1] == 3 else np.repeat(image[..., :1], 3, axis=-1)
