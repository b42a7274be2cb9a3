"""Bring images and masks of any size to a common size."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from PIL import Image

from marsseg_core.plugin_api import VOID

from .values import Edges

# Ratios of width and height that differ by less are equal: sizes are whole numbers.
_EQUAL_RATIOS: Final = 1.05

Resize = Literal["none", "whole", "tiles", "windows"]


@dataclass(frozen=True)
class Resizing:
    """Turn an image and its mask into items of the data set: unchanged, resized, or cut into tiles.

    Windows are tiles of images that are not read whole (`windows.py`).

    Images are interpolated. Masks take the nearest pixel, so that ids stay ids and void stays void. Tiles are cut from
    the image after it is resized by `scale`. The last tile of a row or column is moved inward, so that it ends with the
    image. With `edges` "pad", and where an image is smaller than a tile, it is filled up with black and void instead.
    Neighbouring tiles overlap by `overlap`, a share of a tile below 1, or a number of pixels.
    """

    resize: Resize
    height: int
    width: int
    scale: float = 1.0
    edges: Edges = "inward"
    overlap: float = 0.0

    def pieces(self, image: np.ndarray, mask: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray, tuple[int, int]]]:
        """Yield the items of an image (H, W, C) and a mask (H, W): one or more images (h, w, C) and masks (h, w).

        With each comes its first row and column in the image, after it is resized.
        """
        if self.resize == "none":
            yield image, mask, (0, 0)
        elif self.resize == "whole":
            size = (self.height, self.width)
            yield resized_image(image, size), resized_mask(mask, size), (0, 0)
        else:
            rows, columns = self._scaled(mask.shape)
            image, mask = resized_image(image, (rows, columns)), resized_mask(mask, (rows, columns))
            for top in self.starts(rows, self.height):
                for left in self.starts(columns, self.width):
                    window = np.s_[top : top + self.height, left : left + self.width]
                    yield self.filled(image[window], 0), self.filled(mask[window], VOID), (top, left)

    def prepared(self, image: np.ndarray) -> np.ndarray:
        """Resize an image (H, W, C) as before tiles are cut from it, or as a whole."""
        if self.resize == "whole":
            return resized_image(image, (self.height, self.width))
        return resized_image(image, self._scaled(image.shape[:2]))

    def __str__(self) -> str:
        size = f"{self.height}×{self.width} pixels (height×width)"
        if self.resize == "none":
            return ""
        if self.resize == "whole":
            return f"each image is resized whole to {size}, whatever its shape"
        if self.resize == "windows":
            return f"windows of {size} are cut out of images, which keep their scale"
        scale = "which keep their scale" if self.scale == 1 else f"after these are resized by the factor {self.scale:g}"
        return f"tiles of {size} are cut out of images, {scale}"

    def remarks(self, sizes: Sequence[tuple[int, int]]) -> list[str]:
        """Return remarks for the user about items from images of these sizes (H, W)."""
        if self.resize == "whole":
            return self._proportions(sizes)
        if self.resize != "tiles":
            return []
        pixels = once = smaller = 0
        for rows, columns in map(self._scaled, sizes):
            pixels += rows * columns
            once += self._once(rows, self.height) * self._once(columns, self.width)
            smaller += rows < self.height or columns < self.width
        lines = []
        if once < pixels:
            tiles = "Tiles overlap" if self.overlap else "The last tiles of a row or column overlap others"
            lines.append(
                f"{tiles}: {100 * (1 - once / pixels):.3g} % of all pixels are in several tiles, and count in each."
            )
        if smaller:
            verb = "is" if smaller == 1 else "are"
            lines.append(
                f"{smaller:,} of {len(sizes):,} images {verb} smaller than a tile, and {verb} filled up with black and "
                "void."
            )
        return lines

    def _proportions(self, sizes: Sequence[tuple[int, int]]) -> list[str]:
        """Return a remark if images have different proportions, as most of them are then squeezed."""
        ratios = [columns / rows for rows, columns in sizes]
        if not ratios or max(ratios) <= _EQUAL_RATIOS * min(ratios):
            return []
        return [
            f"The images are {min(ratios):.3g} to {max(ratios):.3g} times as wide as high; with resize=whole, all "
            f"items are {self.width / self.height:.3g} times as wide as high, so the images are squeezed, each in its "
            "own way. resize=tiles keeps the proportions."
        ]

    def _scaled(self, size: tuple[int, ...]) -> tuple[int, int]:
        rows, columns = (max(1, round(length * self.scale)) for length in size)
        return rows, columns

    def starts(self, length: int, tile: int) -> list[int]:
        """Return the positions where the tiles along a side begin."""
        overlap = round(self.overlap if self.overlap >= 1 else self.overlap * tile)
        step = max(1, tile - overlap)
        count = max(1, -(-(length - tile + step) // step))
        inward = self.edges == "inward" and length >= tile
        return [min(start, length - tile) if inward else start for start in range(0, count * step, step)]

    def _once(self, length: int, tile: int) -> int:
        """Return how many of the positions along a side are in one tile only."""
        tiles_at = np.zeros(length, np.int64)
        for start in self.starts(length, tile):
            tiles_at[start : start + tile] += 1
        return int((tiles_at == 1).sum())

    def filled(self, tile: np.ndarray, value: int) -> np.ndarray:
        """Fill a tile up to its full size with a value."""
        missing = [(0, self.height - tile.shape[0]), (0, self.width - tile.shape[1])]
        return np.pad(tile, missing + [(0, 0)] * (tile.ndim - 2), constant_values=value)


def resized_image(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resize an image (H, W, C) to (h, w, C) uint8, bilinearly; a smaller result averages over all its pixels."""
    if image.shape[:2] == size:
        return image
    picture = Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image)
    return np.asarray(picture.resize(size[::-1], Image.Resampling.BILINEAR)).reshape(*size, image.shape[-1])


def resized_mask(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resize a mask (H, W) to (h, w) uint8; each pixel takes the nearest one."""
    if mask.shape == size:
        return mask
    return np.asarray(Image.fromarray(mask).resize(size[::-1], Image.Resampling.NEAREST))
