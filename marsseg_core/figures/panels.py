"""Picture images and masks, as arrays."""

from __future__ import annotations

import numpy as np

from ..data.channels import to_colour

STRIPE_PERIOD = 14
STRIPE_WIDTH = 3
STRIPE = 0x8C


def brightened(image: np.ndarray) -> np.ndarray:
    """Brighten an image (H, W, C) uint8 to (H, W, 3) uint8 over the whole range, as Mars is dim.

    Its first channel is shown in grey, unless there are three.
    """
    shown = to_colour(image)
    low, high = np.percentile(shown, (0.5, 99.5))
    share = np.clip((np.arange(256) - low) / max(high - low, 1), 0, 1)
    shades: np.ndarray = (255 * share).astype(np.uint8)[shown]  # looked up: a large image takes no memory as floats
    return shades


def stretched(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Stretch a picture (H, W) to `size` (h, w) by the nearest pixel: ids stay ids."""
    rows, columns = (np.arange(new) * old // new for new, old in zip(size, picture.shape, strict=True))
    return picture[np.ix_(rows, columns)]


def striped(rgb: np.ndarray, where: np.ndarray) -> np.ndarray:
    """Draw diagonal grey stripes over the pixels `where` (h, w) bool of a picture (h, w, 3) uint8; give a copy."""
    row, column = np.indices(where.shape)
    stripe = (row + column) % STRIPE_PERIOD < STRIPE_WIDTH
    over = rgb.copy()
    over[where & stripe] = STRIPE
    return over
