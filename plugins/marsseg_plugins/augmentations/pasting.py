"""Paste a part of another image: the code shared by `cutmix` and `rockmix`."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from marsseg_core.plugin_api import SegmentationData, Transform, scale

# A function of the mask (H, W) of the donor and a generator that returns the row and column of the centre to cut.
Centre = Callable[[np.ndarray, np.random.Generator], tuple[int, int]]


def paste_from(data: SegmentationData, donors: np.ndarray, area: tuple[float, float], centre: Centre) -> Transform:
    """Return a transform that pastes a rectangle of a random donor into each image, at the same place.

    `donors` are the indices of the items to draw from. The rectangle has the proportions of the image, and its share of
    the area is drawn between the two numbers of `area`. Parts outside the image are cut off. If the donor is
    larger than the images, which are windows then, a window of it takes its place: if possible, around the centre.
    """

    def paste(
        images: np.ndarray, masks: np.ndarray, generators: Sequence[np.random.Generator]
    ) -> tuple[np.ndarray, np.ndarray]:
        height, width = masks.shape[1:]
        for image, mask, generator in zip(images, masks, generators, strict=True):
            donor = int(generator.choice(donors))
            side = np.sqrt(generator.uniform(*area))
            rows, columns = round(side * height), round(side * width)
            donor_mask, donor_image = data.masks[donor], data.images[donor]
            row, column = centre(donor_mask, generator)
            first_row, first_column = _start(row, height, len(donor_mask)), _start(column, width, donor_mask.shape[1])
            window = np.s_[first_row : first_row + height, first_column : first_column + width]
            row, column = row - first_row, column - first_column
            top, left = row - rows // 2, column - columns // 2
            box = (slice(max(0, top), max(0, top + rows)), slice(max(0, left), max(0, left + columns)))
            image[box] = scale(donor_image[window][box])
            mask[box] = donor_mask[window][box]
        return images, masks

    return paste


def _start(centre: int, part: int, length: int) -> int:
    """Return where a window of `part` pixels begins that has `centre` in its middle and lies within `length` pixels."""
    return min(max(0, centre - part // 2), length - part)
