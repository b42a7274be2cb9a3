"""Images and masks of any size brought to a common one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from PIL import Image

from marsseg_core.components import VOID

Fit = Literal["as_is", "resize", "tiles"]


@dataclass(frozen=True)
class Fitting:
    """How an image and its mask become items of the set: as they are, resized, or cut into tiles.

    Images are interpolated, masks take the nearest pixel: ids stay ids, and void stays void. Tiles are cut from the
    image resized by `scale`; where the last ones reach beyond its edge they are filled up with black and void.
    """

    fit: Fit
    height: int
    width: int
    scale: float = 1.0

    def pieces(self, image: np.ndarray, mask: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Image (H, W, C) and mask (H, W) → one or more images (h, w, C) and masks (h, w)."""
        if self.fit == "as_is":
            yield image, mask
        elif self.fit == "resize":
            size = (self.height, self.width)
            yield resized_image(image, size), resized_mask(mask, size)
        else:
            rows, columns = (max(1, round(length * self.scale)) for length in mask.shape)
            image, mask = resized_image(image, (rows, columns)), resized_mask(mask, (rows, columns))
            for top in range(0, rows, self.height):
                for left in range(0, columns, self.width):
                    window = np.s_[top : top + self.height, left : left + self.width]
                    yield self._filled(image[window], 0), self._filled(mask[window], VOID)

    def _filled(self, tile: np.ndarray, value: int) -> np.ndarray:
        short = [(0, self.height - tile.shape[0]), (0, self.width - tile.shape[1])]
        return np.pad(tile, short + [(0, 0)] * (tile.ndim - 2), constant_values=value)


def resized_image(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """(H, W, C) → (h, w, C) uint8, bilinear; averaged over all pixels where it becomes smaller."""
    if image.shape[:2] == size:
        return image
    picture = Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image)
    return np.asarray(picture.resize(size[::-1], Image.Resampling.BILINEAR)).reshape(*size, image.shape[-1])


def resized_mask(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """(H, W) → (h, w) uint8, by the nearest pixel."""
    if mask.shape == size:
        return mask
    return np.asarray(Image.fromarray(mask).resize(size[::-1], Image.Resampling.NEAREST))


def grey(image: np.ndarray) -> np.ndarray:
    """(H, W, C) → (H, W, 1), by the brightness of colours."""
    return image if image.shape[-1] == 1 else np.asarray(Image.fromarray(image).convert("L"))[..., None]


def coloured(image: np.ndarray) -> np.ndarray:
    """(H, W, C) → (H, W, 3)."""
    return image if image.shape[-1] == 3 else np.repeat(image, 3, axis=-1)
