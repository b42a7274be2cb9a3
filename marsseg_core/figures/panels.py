"""Prepare images and masks for display, as arrays."""

from __future__ import annotations

import numpy as np

from ..data.channels import to_colour

STRIPE_PERIOD = 14
STRIPE_WIDTH = 3
STRIPE = 0x8C


def brightened(image: np.ndarray) -> np.ndarray:
    """Stretch the contrast of an image to the whole range, because images of Mars are often dark.

    Args:
        image: (H, W, C) uint8. If C is not 3, the first channel is shown in grey.

    Returns:
        An RGB image, (H, W, 3) uint8.
    """
    rgb = to_colour(image)
    low, high = np.percentile(rgb, (0.5, 99.5))
    share = np.clip((np.arange(256) - low) / max(high - low, 1), 0, 1)
    shades: np.ndarray = (255 * share).astype(np.uint8)[
        rgb
    ]  # by a table: floats of a large image would need much memory
    return shades


def stretched(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resize a picture by nearest neighbours, so that class ids stay class ids.

    Args:
        picture: (H, W), of any type.
        size: The new height and width, (h, w).

    Returns:
        The picture, (h, w).
    """
    rows, columns = (np.arange(new) * old // new for new, old in zip(size, picture.shape, strict=True))
    return picture[np.ix_(rows, columns)]


def striped(rgb: np.ndarray, where: np.ndarray) -> np.ndarray:
    """Draw diagonal grey stripes over some pixels of a copy of a picture.

    Args:
        rgb: The picture, (h, w, 3) uint8.
        where: The pixels to draw the stripes over, (h, w) bool.

    Returns:
        The copy, (h, w, 3) uint8.
    """
    row, column = np.indices(where.shape)
    stripe = (row + column) % STRIPE_PERIOD < STRIPE_WIDTH
    over = rgb.copy()
    over[where & stripe] = STRIPE
    return over
