"""Draw the polygons and run lengths of COCO's JSON into masks, pixel by pixel as its own tools do.

The method is that of the COCO API (Lin et al. 2014, github.com/cocodataset/cocoapi, `rleFrPoly`): the outline is
followed on a grid five times as fine, and wherever it passes the middle of a column of pixels, the pixels below change
from outside to inside or back. Tests compare with the numbers of pycocotools.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

# Steps per pixel of the grid on which outlines are followed.
_FINE: Final = 5

# How far from the image a point may be, in sizes of the image: the outline is followed there, too.
_FARTHEST: Final = 100

# The longest outline in steps of the fine grid: memory is taken for each.
_MOST_STEPS: Final = 10**8


class SegmentationError(ValueError):
    """Report a segmentation that cannot be drawn; the text says why."""


def draw_segmentation(segmentation: Any, size: tuple[int, int]) -> np.ndarray:
    """Return the pixels (H, W) bool of a segmentation: a list of polygons, or run lengths, compressed or not.

    Raises SegmentationError if it is wrong.
    """
    if isinstance(segmentation, dict):
        return _of_runs(segmentation, size)
    if not isinstance(segmentation, list) or not segmentation:
        raise SegmentationError("it is neither a list of polygons nor run lengths")
    mask = np.zeros(size, bool)
    for polygon in segmentation:
        mask |= draw_polygon(polygon, size)
    return mask


def draw_polygon(polygon: Any, size: tuple[int, int]) -> np.ndarray:
    """Return the pixels (H, W) bool of a polygon [x1, y1, x2, y2, …]."""
    if not isinstance(polygon, list) or len(polygon) < 6 or len(polygon) % 2:
        raise SegmentationError("a polygon needs three or more points, as x1, y1, x2, y2, …")
    if not all(type(value) in (int, float) for value in polygon):
        raise SegmentationError("a polygon may hold only numbers")
    if not all(abs(value) <= _FARTHEST * max(size) for value in polygon):  # also of NaN
        raise SegmentationError("a point of a polygon is far outside the image")
    height, width = size
    corners = np.trunc(_FINE * np.array(polygon, np.float64).reshape(-1, 2) + 0.5).astype(np.int64)
    if np.abs(corners - np.roll(corners, -1, axis=0)).max(axis=1).sum() > _MOST_STEPS:
        raise SegmentationError("the outline of a polygon is too long")
    xs, ys = _outline(corners)
    # Steps from a column of the fine grid to the next one, in either direction.
    (steps,) = np.nonzero(np.diff(xs))
    columns = (np.minimum(xs[steps], xs[steps + 1]) + 0.5) / _FINE - 0.5
    rows = (np.minimum(ys[steps], ys[steps + 1]) + 0.5) / _FINE - 0.5
    middle = (columns == np.floor(columns)) & (columns >= 0) & (columns <= width - 1)
    rows = np.ceil(np.clip(rows[middle], 0, height)).astype(np.int64)
    changes = np.bincount(columns[middle].astype(np.int64) * height + rows, minlength=height * width + 1)
    return _by_columns(np.cumsum(changes[: height * width]) % 2 == 1, size)


def _outline(corners: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the columns and rows of all points of the fine grid on an outline, corner after corner.

    Of the two directions, that of the longer side goes in steps of one, and the other is rounded. It is always
    rounded from the lower end on, so that a side is the same in both directions.
    """
    points = []
    for start, end in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        length = np.abs(end - start)
        if not length.any():
            continue
        axis = 0 if length[0] >= length[1] else 1
        low, high = (end, start) if start[axis] > end[axis] else (start, end)
        steps = np.arange(length[axis] + 1)
        slope = (high[1 - axis] - low[1 - axis]) / length[axis]
        line = np.empty((len(steps), 2), np.int64)
        line[:, axis] = low[axis] + steps
        line[:, 1 - axis] = np.trunc(low[1 - axis] + slope * steps + 0.5)
        points.append(line[::-1] if low is end else line)
    together = np.concatenate(points) if points else np.zeros((1, 2), np.int64)
    return together[:, 0], together[:, 1]


def _of_runs(segmentation: dict[str, Any], size: tuple[int, int]) -> np.ndarray:
    """Return the pixels of run lengths: counts of pixels outside and inside in turns, column by column."""
    if segmentation.get("size") != list(size):
        raise SegmentationError(f"its run lengths are for the size {segmentation.get('size')}, not {list(size)}")
    counts = segmentation.get("counts")
    runs = _uncompressed(counts) if isinstance(counts, str) else counts
    if not isinstance(runs, list) or not all(type(run) is int and 0 <= run <= size[0] * size[1] for run in runs):
        raise SegmentationError("its run lengths are not counts of pixels")
    if sum(runs) != size[0] * size[1]:
        raise SegmentationError(f"its run lengths are {sum(runs):,} pixels, not {size[0] * size[1]:,}")
    inside = np.arange(len(runs)) % 2 == 1
    return _by_columns(np.repeat(inside, runs), size)


def _uncompressed(text: str) -> list[int]:
    """Return the run lengths of a compressed text.

    A character holds five bits of a number, lowest first, and a sixth that says whether more follow; the highest bit of
    the last one is the sign. From the fourth number on, each is the difference from the one two before.
    """
    runs: list[int] = []
    value = shift = 0
    for character in text:
        bits = ord(character) - 48
        if not 0 <= bits < 64 or shift > 60:
            raise SegmentationError("its run lengths are damaged")
        value |= (bits & 31) << shift
        shift += 5
        if not bits & 32:
            value -= (bits & 16) << (shift - 4) if bits & 16 else 0
            runs.append(value + (runs[-2] if len(runs) > 2 else 0))
            value = shift = 0
    if shift:
        raise SegmentationError("its run lengths end early")
    return runs


def _by_columns(pixels: Sequence[bool] | np.ndarray, size: tuple[int, int]) -> np.ndarray:
    return np.asarray(pixels).reshape(size[::-1]).T
