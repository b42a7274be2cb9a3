"""Random fields and shapes on a grid of pixels, from which the synthetic scenes are made."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Size = tuple[int, int]
Field = NDArray[np.float64]
Region = NDArray[np.bool_]

# An odd number, whose products modulo 2³² put neighbours far apart. With this one, the set that version 0.1.0 wrote on
# a processor with AVX-512 for `tests/frozen/psp` is the same everywhere.
SCATTER = np.uint32(2246822519)


def pixels(size: Size) -> tuple[Field, Field]:
    """Return the row (H, 1) and the column (1, W) of each pixel, for broadcasting."""
    return np.arange(size[0], dtype=float)[:, None], np.arange(size[1], dtype=float)[None, :]


def smooth_noise(rng: np.random.Generator, size: Size, scale: float) -> Field:
    """Draw noise (H, W) with mean 0 and variance 1 that changes over about `scale` pixels."""
    rows, columns = _spline(size[0], scale), _spline(size[1], scale)
    knots = rng.standard_normal((rows.shape[1], columns.shape[1]))
    return rows @ knots @ columns.T


@lru_cache(maxsize=64)
def _spline(length: int, scale: float) -> Field:
    """Return cubic B-spline weights (length, knots); the squares of each row add up to 1."""
    knots = int(np.ceil(length / scale)) + 3
    distance = np.abs(np.arange(length)[:, None] / scale - np.arange(-1, knots - 1)[None, :])
    inner = 2 / 3 - distance**2 + distance**3 / 2
    outer = np.clip(2 - distance, 0, None) ** 3 / 6
    weights = np.where(distance < 1, inner, outer)
    return np.asarray(weights / np.sqrt((weights**2).sum(axis=1, keepdims=True)))


def lowest(field: Field, area: float, within: Region | None = None) -> Region:
    """Return the region of the `area` pixels with the lowest values of `field`, chosen from the region `within`.

    `area` is rounded. If `within` has fewer pixels, all of them are taken. Of pixels with the same value, the same ones
    are chosen on every machine, scattered over the field.
    """
    candidates = np.arange(field.size) if within is None else np.flatnonzero(within)
    count = int(np.clip(round(area), 0, len(candidates)))
    region = np.zeros(field.size, bool)
    if count == len(candidates):
        region[candidates] = True
    elif count:
        values = field.ravel()[candidates]
        # Only the value at the border is taken from here: which of equal values NumPy puts first depends on the
        # vector instructions of the processor.
        border = np.partition(values, count - 1)[count - 1]
        region[candidates[values < border]] = True
        equal = candidates[values == border]
        scattered = equal[np.argsort(equal.astype(np.uint32) * SCATTER, kind="stable")]
        region[scattered[: count - np.count_nonzero(region)]] = True
    return region.reshape(field.shape)


def cells(rng: np.random.Generator, x: Field, y: Field, size: float) -> tuple[Field, Field, Field]:
    """Evaluate Voronoi cells of random points, about `size` wide, at the positions (x, y).

    Returns the distance to the nearest point and twice the distance to the edge of its cell, both in units of `size`,
    and a random number in [0, 1) that is constant in each cell.
    """
    columns, rows = (x / size).astype(np.float32), (y / size).astype(np.float32)
    left, top = np.floor(columns), np.floor(rows)
    columns, rows = columns - left, rows - top
    # The table of points repeats after 64 cells; at this distance the repetition is hard to see.
    across, along, cell_value = rng.random((3, 64 * 64), dtype=np.float32)
    i, j = top.astype(np.intp), left.astype(np.intp)
    nearest = np.full(columns.shape, np.inf, np.float32)
    second = nearest.copy()
    owner = np.zeros(columns.shape, np.intp)
    for down in (-1, 0, 1):
        for right in (-1, 0, 1):
            point = ((i + down & 63) << 6) + (j + right & 63)
            distance = np.square(across[point] + right - columns) + np.square(along[point] + down - rows)
            closer = distance < nearest
            second = np.minimum(second, np.maximum(nearest, distance))
            nearest = np.minimum(nearest, distance)
            np.copyto(owner, point, where=closer)
    nearest, second = np.sqrt(nearest), np.sqrt(second)
    return nearest.astype(float), (second - nearest).astype(float), cell_value[owner].astype(float)
