"""Find suspicious labels in masks: unlabelled strips along the edges, and rims of single pixels between labels."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from ..conventions import VOID


def unlabelled(masks: np.ndarray, ignore_classes: Collection[int]) -> np.ndarray:
    """Return where masks of any shape are void or of an ignored class, as booleans of the same shape."""
    is_unlabelled = np.zeros(VOID + 1, bool)
    is_unlabelled[[VOID, *ignore_classes]] = True
    pixels: np.ndarray = is_unlabelled[masks]
    return pixels


def spurious_margin(masks: np.ndarray, ignore_classes: Collection[int], margin: int) -> np.ndarray:
    """Find unlabelled pixels within `margin` pixels of an edge whose nearest pixel beyond the margin is labelled.

    Unlabelled areas that extend beyond the margin, such as sky or the rover, are not included: they are intended.
    Returns (N, H, W) bool.
    """
    empty = unlabelled(masks, ignore_classes)
    height, width = masks.shape[1:]
    rows, columns = (_inward(length, margin) for length in (height, width))
    empty_beyond = empty[:, rows[:, None], columns[None, :]]
    row, column = np.arange(height)[:, None], np.arange(width)[None, :]
    in_margin = (rows[:, None] != row) | (columns[None, :] != column)
    spurious: np.ndarray = empty & ~empty_beyond & in_margin
    return spurious


def _inward(length: int, margin: int) -> np.ndarray:
    """Return the nearest index beyond the margin for each index of an axis; the middle if all of it is margin."""
    low, high = min(margin, (length - 1) // 2), max(length - 1 - margin, length // 2)
    return np.clip(np.arange(length), low, high)


def fill_margin(mask: np.ndarray, ignore_classes: Collection[int], margin: int) -> tuple[np.ndarray, int]:
    """Fill the spurious margin of a mask (H, W) with the nearest labels; return it and the number of filled pixels."""
    from scipy import ndimage

    spurious = spurious_margin(mask[None], ignore_classes, margin)[0]
    filled = int(spurious.sum())
    if filled:
        nearest = ndimage.distance_transform_edt(
            unlabelled(mask, ignore_classes), return_distances=False, return_indices=True
        )
        mask = np.where(spurious, mask[tuple(nearest)], mask)
    return mask, filled


def strip_widths(masks: np.ndarray, ignore_classes: Collection[int], widest: int) -> np.ndarray:
    """Measure the width of unlabelled strips along the top, bottom, left and right edge: (N, 4), 0 for none.

    There is a strip if most of the pixel lines that start at the edge have 1 to `widest` unlabelled pixels and then a
    labelled one. Its width is the median over these lines.
    """
    empty = unlabelled(masks, ignore_classes)
    widths = np.zeros((len(masks), 4), int)
    sideways = empty.transpose(0, 2, 1)
    for edge, inward in enumerate((empty, empty[:, ::-1], sideways, sideways[:, ::-1])):
        depth = min(widest + 1, inward.shape[1])
        # The index of the first labelled pixel of each line, (N, lines); `depth` if it is farther away or missing.
        first = np.where(inward[:, :depth].all(axis=1), depth, inward[:, :depth].argmin(axis=1))
        thin = (first >= 1) & (first < depth)
        for item in np.flatnonzero(thin.mean(axis=1) > 0.5):
            widths[item, edge] = int(np.median(first[item][thin[item]]))
    return widths


def rims(masks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Find single pixels between two different labels along a row or column: two arrays (N, H, W) bool.

    The first array has the pixels whose id is between the two others. They are typical of interpolated ids: soil beside
    sand gets a rim of bedrock. The second has those whose id is not, such as a gap of background between two labels.
    """
    between, other = np.zeros(masks.shape, bool), np.zeros(masks.shape, bool)
    inner, first, last = slice(1, -1), slice(None, -2), slice(2, None)
    for along in ((slice(None),), (slice(None), slice(None))):  # along columns, along rows
        before, centre, after = (masks[(*along, part)] for part in (first, inner, last))
        differ = (centre != before) & (centre != after) & (before != after)
        single = differ & (before != VOID) & (centre != VOID) & (after != VOID)
        in_between = (before < centre) == (centre < after)
        between[(*along, inner)] |= single & in_between
        other[(*along, inner)] |= single & ~in_between
    return between, other & ~between
