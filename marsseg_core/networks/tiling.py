"""Cover an image of any size with tiles of one size. Each axis is computed separately.

Neighbouring tiles overlap, and the image is mirrored beyond its edges. So several tiles cover each pixel, also at an
edge. The predictions of a tile are weighted by a window that falls smoothly to 0 at the edges of the tile, where a
network sees the smallest neighbourhood of a pixel.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import product
from math import ceil, prod
from typing import Final, Protocol

import numpy as np

# An image is large if it has more than so many times the pixels of a call.
_LARGE: Final = 8


class Pixels(Protocol):
    """An image (H, W, C) uint8, whole in memory or read in windows: an array is one."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Return (H, W, C)."""

    def __getitem__(self, window: tuple[slice, slice], /) -> np.ndarray:
        """Return the pixels of a window (h, w, C), whose four ends lie inside the image."""


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
    return _weighted(starts, length, np.sin(np.pi * (np.arange(tile) + 0.5) / tile) ** 2)


def seam_axis(length: int, tile: int, seam: int, stride: int) -> TileAxis:
    """Cover `length` pixels with as few tiles as possible, whose neighbours share at least about `seam` pixels.

    About half of a seam also lies beyond each end. The starts are multiples of `stride`, of which `tile` is a multiple
    too. A weight changes over `seam` pixels at the ends of a tile, and is 1 in between. A single tile lies in the
    middle.
    """
    count = tile_count(length, tile, seam, stride)
    if count == 1:
        return tile_axis(length, tile, 0)
    margin = _margin(seam, stride)
    last = _multiple(length + 2 * margin - tile, stride)
    starts = np.linspace(0, last, count).astype(int) // stride * stride - margin
    distance = np.minimum(np.arange(tile), np.arange(tile)[::-1]) + 0.5
    return _weighted(starts, length, np.sin(np.pi / 2 * np.minimum(1, distance / max(seam, 0.5))) ** 2)


def tile_count(length: int, tile: int, seam: int, stride: int) -> int:
    """Return the number of tiles of `seam_axis`."""
    step = max(stride, (tile - seam) // stride * stride)
    return 1 + max(0, -((tile - length - 2 * _margin(seam, stride)) // step))


@cache
def best_tile(
    size: tuple[int, int], smallest: tuple[int, int], seams: tuple[int, int], stride: int, pixels: int, strip: int
) -> tuple[int, int]:
    """Return the size of the tiles with which the fewest pixels are computed for an image of `size`.

    A tile has the size `smallest` or is larger. It has at most `pixels` pixels, and a row of tiles over the whole image
    covers at most `strip` pixels, unless the smallest tile has more. Among equally good sizes, the one with the fewest
    tiles is chosen. The choice depends on the image alone, so that other images do not change its prediction.
    """
    # Each size of a tile is compiled, which takes as long as a small image. So small images share few sizes.
    step = _multiple(min(smallest) / 2, stride) if prod(size) > _LARGE * pixels else None
    heights, widths = (
        _lengths(shortest, max(shortest, length + 2 * _margin(seam, stride)), step, stride)
        for length, shortest, seam in zip(size, smallest, seams, strict=True)
    )

    def cost(tile: tuple[int, int]) -> tuple[int, int]:
        tiles = prod(tile_count(*axis, stride) for axis in zip(size, tile, seams, strict=True))
        return tiles * prod(tile), tiles

    allowed = (tile for tile in product(heights, widths) if prod(tile) <= pixels and tile[0] * size[1] <= strip)
    return min(allowed, key=cost, default=smallest)


def _lengths(shortest: int, longest: int, step: int | None, stride: int) -> list[int]:
    """Return lengths from the shortest on, up to one that is not below `longest`.

    They grow by equal steps. Without a `step`, they are 1, 1½, 2, 3, 4, 6, 8, … times the shortest one.
    """
    if step is not None:
        return list(range(shortest, longest + step, step))
    lengths = [shortest]
    while lengths[-1] < longest:
        lengths += [_multiple(1.5 * lengths[-1], stride), 2 * lengths[-1]]
    return lengths


def _margin(seam: int, stride: int) -> int:
    """Return how far tiles begin before an image: half of a seam, rounded down to a multiple of `stride`."""
    return seam // (2 * stride) * stride


def _multiple(number: float, stride: int) -> int:
    """Return the smallest multiple of `stride` that is not below `number`."""
    return ceil(number / stride) * stride


def _weighted(starts: np.ndarray, length: int, window: np.ndarray) -> TileAxis:
    """Weight each tile by `window`, divided by the sum of all windows at a pixel."""
    tile = len(window)
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


def cut(image: Pixels, row: int, column: int, height: int, width: int) -> np.ndarray:
    """Cut a tile (height, width, C) out of an image (H, W, C). Its corner (row, column) may lie outside the image."""
    if 0 <= row <= image.shape[0] - height and 0 <= column <= image.shape[1] - width:
        return image[row : row + height, column : column + width]
    rows, columns = mirrored(row, height, image.shape[0]), mirrored(column, width, image.shape[1])
    top, left = int(rows.min()), int(columns.min())
    inside = image[top : int(rows.max()) + 1, left : int(columns.max()) + 1]
    tile: np.ndarray = inside[np.ix_(rows - top, columns - left)]
    return tile
