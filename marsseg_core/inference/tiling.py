"""Covering an image of any size with tiles of one size, each axis on its own.

Neighbouring tiles overlap, and the image goes on as its mirror beyond its edges. So every pixel, also one at an edge,
is seen by several tiles, and what each says counts by a window that falls smoothly to 0 at the tile's own edges,
where a network sees least around a pixel.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class TileAxis:
    """The tiles along one axis: where each begins (before the image, for the first), and how much it counts.

    `starts` (n,) integers; `weights` (n, tile) float32, which add up to 1 at each pixel of the image.
    """

    starts: np.ndarray
    weights: np.ndarray


def tile_axis(length: int, tile: int, overlap: float) -> TileAxis:
    """Tiles of `tile` pixels over `length` pixels, of which neighbours share about the part `overlap` (below 1).

    An axis no longer than a tile takes one, in whose middle it lies.
    """
    if length <= tile:
        return TileAxis(np.array([(length - tile) // 2]), np.ones((1, tile), np.float32))
    step = max(1, round(tile * (1 - overlap)))
    starts = np.arange(-((tile - 1) // step) * step, length, step)
    window = np.sin(np.pi * (np.arange(tile) + 0.5) / tile) ** 2
    total = np.zeros(length + 2 * tile)
    for start in starts:
        total[start + tile : start + 2 * tile] += window
    weights = [window / np.maximum(total[start + tile : start + 2 * tile], 1e-9) for start in starts]
    return TileAxis(starts, np.asarray(weights, np.float32))


def mirrored(start: int, count: int, length: int) -> np.ndarray:
    """The indices `start`, `start + 1`, … of an axis that goes on as its mirror beyond 0 and `length`."""
    places = np.arange(start, start + count) % (2 * length)
    indices: np.ndarray = np.where(places < length, places, 2 * length - 1 - places)
    return indices


def cut(image: np.ndarray, row: int, column: int, height: int, width: int) -> np.ndarray:
    """The tile (height, width, C) of an image (H, W, C) whose corner is at (row, column), which may lie outside."""
    rows, columns = mirrored(row, height, image.shape[0]), mirrored(column, width, image.shape[1])
    tile: np.ndarray = image[np.ix_(rows, columns)]
    return tile
