"""Warp images and masks: the code shared by all geometric augmentations."""

from __future__ import annotations

from typing import Final, Literal

import numpy as np

from marsseg_core.plugin_api import VOID

Fill = Literal["edge", "mirror", "black"]

# The names of the modes in SciPy. With "grid-constant" the image extends half a pixel beyond the centres of its outer
# pixels, as for the masks.
_MODES: Final = {"edge": "nearest", "mirror": "reflect", "black": "grid-constant"}


def pixel_grid(height: int, width: int) -> np.ndarray:
    """Return the row and the column of each pixel, (2, H, W)."""
    return np.stack(np.meshgrid(np.arange(height), np.arange(width), indexing="ij")).astype(np.float64)


def warp(images: np.ndarray, masks: np.ndarray, places: np.ndarray, fill: Fill) -> tuple[np.ndarray, np.ndarray]:
    """Return images (B, H, W, C) and masks (B, H, W) whose pixels are taken from other places of the same image.

    `places` (B, 2, H, W) are the row and the column from which each pixel is taken. Images are interpolated bilinearly,
    masks take the nearest pixel. Beyond the edges, images continue as `fill` says, and masks are void.
    """
    from scipy import (
        ndimage,
    )  # not at the top: components import `Fill` from here, and showing them must not load SciPy

    moved_images, moved_masks = np.empty_like(images), np.empty_like(masks)
    for i, place in enumerate(places):
        for channel in range(images.shape[-1]):
            moved_images[i, ..., channel] = ndimage.map_coordinates(
                images[i, ..., channel], place, order=1, mode=_MODES[fill], cval=0.0
            )
        moved_masks[i] = ndimage.map_coordinates(masks[i], place, order=0, mode="grid-constant", cval=VOID)
    # Bilinear weights sum to 1 only up to rounding errors.
    return np.clip(moved_images, 0, 1, out=moved_images), moved_masks


def warp_affine(
    images: np.ndarray, masks: np.ndarray, matrices: np.ndarray, fill: Fill
) -> tuple[np.ndarray, np.ndarray]:
    """Transform images and masks about their centre; `matrices` (B, 2, 2) map new (row, column) to old."""
    _, height, width, _ = images.shape
    centre = np.array([height - 1, width - 1]).reshape(2, 1, 1) / 2
    offsets = pixel_grid(height, width) - centre
    return warp(images, masks, np.einsum("bij,jhw->bihw", matrices, offsets) + centre, fill)
