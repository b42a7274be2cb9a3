"""What is doubtful in masks: ground that lost its label at an image's edge, and rims that nobody drew."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from ..conventions import VOID


def unlabelled(masks: np.ndarray, ignore_classes: Collection[int]) -> np.ndarray:
    """Where masks (…) carry no label that counts: void, or an ignored class. (…) bool."""
    without = np.zeros(VOID + 1, bool)
    without[[VOID, *ignore_classes]] = True
    found: np.ndarray = without[masks]
    return found


def spurious_margin(masks: np.ndarray, ignore_classes: Collection[int], margin: int) -> np.ndarray:
    """Unlabelled pixels within `margin` of an edge with labelled ground straight behind the margin: (N, H, W) bool.

    Ground whose lack of a label goes on into the image (sky, the rover) is left alone: nobody forgot it.
    """
    empty = unlabelled(masks, ignore_classes)
    height, width = masks.shape[1:]
    rows, columns = (_inward(length, margin) for length in (height, width))
    behind = empty[:, rows[:, None], columns[None, :]]
    row, column = np.arange(height)[:, None], np.arange(width)[None, :]
    within = (rows[:, None] != row) | (columns[None, :] != column)
    found: np.ndarray = empty & ~behind & within
    return found


def _inward(length: int, margin: int) -> np.ndarray:
    """The nearest position behind the margin, for each position along an axis; the middle where all is margin."""
    low, high = min(margin, (length - 1) // 2), max(length - 1 - margin, length // 2)
    return np.clip(np.arange(length), low, high)


def fill_margin(mask: np.ndarray, ignore_classes: Collection[int], margin: int) -> tuple[np.ndarray, int]:
    """The mask (H, W) with its spurious margin labelled as the nearest labelled pixel; and how many pixels that are."""
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
    """How wide a strip without labels is along the top, bottom, left and right edge: (N, 4), 0 for none.

    There is one where most of the lines into the image have 1 to `widest` unlabelled pixels and then a label; its width
    is the median of these lines.
    """
    empty = unlabelled(masks, ignore_classes)
    widths = np.zeros((len(masks), 4), int)
    sideways = empty.transpose(0, 2, 1)
    for edge, seen in enumerate((empty, empty[:, ::-1], sideways, sideways[:, ::-1])):
        depth = min(widest + 1, seen.shape[1])
        # The first labelled pixel of each line: (N, lines); `depth` where it is farther away, or nowhere.
        first = np.where(seen[:, :depth].all(axis=1), depth, seen[:, :depth].argmin(axis=1))
        thin = (first >= 1) & (first < depth)
        for item in np.flatnonzero(thin.mean(axis=1) > 0.5):
            widths[item, edge] = int(np.median(first[item][thin[item]]))
    return widths


def rims(masks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pixels that lie alone between two other labels, along a row or a column: two times (N, H, W) bool.

    The first are those whose id is in between the other two, as interpolation of ids makes them (soil beside sand
    gets a rim of bedrock); the second those whose id is not, such as a gap of background between two labels.
    """
    between, other = np.zeros(masks.shape, bool), np.zeros(masks.shape, bool)
    inner, first, last = slice(1, -1), slice(None, -2), slice(2, None)
    for along in ((slice(None),), (slice(None), slice(None))):  # along columns, along rows
        low, own, high = (masks[(*along, part)] for part in (first, inner, last))
        alone = (own != low) & (own != high) & (low != high) & (low != VOID) & (own != VOID) & (high != VOID)
        inside = (low < own) == (own < high)
        between[(*along, inner)] |= alone & inside
        other[(*along, inner)] |= alone & ~inside
    return between, other & ~between
