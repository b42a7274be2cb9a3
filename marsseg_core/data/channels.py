"""Images with one channel, and with three."""

from __future__ import annotations

import numpy as np
from PIL import Image


def to_grey(image: np.ndarray) -> np.ndarray:
    """Turn an image (H, W, 1 or 3) uint8 grey, (H, W, 1): colours by their luma (Rec. 601)."""
    return image if image.shape[-1] == 1 else np.asarray(Image.fromarray(image).convert("L"))[..., None]


def to_colour(image: np.ndarray) -> np.ndarray:
    """Give an image (H, W, C) three channels, (H, W, 3): the first one three times, unless there are three."""
    return image if image.shape[-1] == 3 else np.repeat(image[..., :1], 3, axis=-1)
