"""What the augmentations that paste a part of another image share."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from marsseg_core.plugin_api import SegmentationData, Transform, scale

# (mask (H, W) of the donor, generator) → the row and column about which is cut
Centre = Callable[[np.ndarray, np.random.Generator], tuple[int, int]]


def paste_from(data: SegmentationData, donors: np.ndarray, area: tuple[float, float], centre: Centre) -> Transform:
    """A transform that pastes a rectangle of a donor, drawn from these items, into each image at the same place.

    The rectangle has the image's proportions and a share of its area drawn between the two of `area`; what lies outside
    of the image is cut off.
    """

    def paste(
        images: np.ndarray, masks: np.ndarray, generators: Sequence[np.random.Generator]
    ) -> tuple[np.ndarray, np.ndarray]:
        height, width = masks.shape[1:]
        for image, mask, generator in zip(images, masks, generators, strict=True):
            donor = int(generator.choice(donors))
            side = np.sqrt(generator.uniform(*area))
            rows, columns = round(side * height), round(side * width)
            row, column = centre(data.masks[donor], generator)
            top, left = row - rows // 2, column - columns // 2
            box = (slice(max(0, top), max(0, top + rows)), slice(max(0, left), max(0, left + columns)))
            image[box] = scale(data.images[donor][box])
            mask[box] = data.masks[donor][box]
        return images, masks

    return paste
