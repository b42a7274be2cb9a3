"""Cover an image of any size with tiles of one size. Each axis is computed separately.

Neighbouring tiles overlap, and the image is mirrored beyond its edges. So several tiles cover each pixel, also at an
edge. The predictions of a tile are weighted by a window that falls smoothly to 0 at the edges of the tile, where a
network sees the smallest neighbourhood of a pixel.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class TileAxis:
    """The positions and weights of the tiles along one axis.

    Attributes:
        starts: (n,) integers, the first pixel of each tile; the first tile may begin before the image
        weights: (n, tile) float32, the weight of each pixel of a tile; they add up to 1 at each pixel of the image
    """

    starts: np.ndarray
    weights: np.ndarray


def tile_axis(length: int, tile: int, overlap: float) -> TileAxis:
    """Cover `length` pixels with tiles of `tile` pixels; neighbours share about the part `overlap` (below 1).

    An axis that is not longer than a tile gets one tile, and lies in its middle.
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
    """Return the indices of `count` pixels from `start` on, for an axis that is mirrored beyond 0 and `length`."""
    positions = np.arange(start, start + count) % (2 * length)
    indices: np.ndarray = np.where(positions < length, positions, 2 * length - 1 - positions)
    return indices


def cut(image: np.ndarray, row: int, column: int, height: int, width: int) -> np.ndarray:
    """Cut a tile (height, width, C) out of an image (H, W, C). Its corner (row, column) may lie outside the image."""
    rows, columns = mirrored(row, height, image.shape[0]), mirrored(column, width, image.shape[1])
    tile: np.ndarray = image[np.ix_(rows, columns)]
    return tile
