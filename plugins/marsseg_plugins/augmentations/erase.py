"""The augmentation `erase`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from marsseg_core.plugin_api import Augmentation, param

from .covering import CoveredLabels, CoverFill, cover


@dataclass(frozen=True)
class Erase(Augmentation):
    """Random erasing: cover rectangles of an image.

    The area of each rectangle is drawn from 0 to `area`. The logarithm of its ratio of height to width is drawn evenly
    from log(1 / aspect) to log(aspect). A rectangle lies inside the image; a side longer than that of the image is
    cut to its length.

    Zhong and others, arXiv 1708.04896.
    """

    area: float = param(0.15, help="largest share of the image that one rectangle covers", minimum=0, maximum=1)
    count: int = param(1, help="number of rectangles in an image", minimum=1, maximum=1_000)
    aspect: float = param(3.0, help="largest ratio of a rectangle's sides", minimum=1)
    fill: CoverFill = param("mean", help="what replaces covered pixels: the mean colour of the image, black, or noise")
    labels: CoveredLabels = param("void", help="void: covered pixels become void; keep: they keep their labels")

    def apply(
        self, images: np.ndarray, masks: np.ndarray, generators: Sequence[np.random.Generator]
    ) -> tuple[np.ndarray, np.ndarray]:
        _, height, width, _ = images.shape
        for image, mask, generator in zip(images, masks, generators, strict=True):
            rectangles = []
            for _ in range(self.count):
                area = generator.uniform(0, self.area) * height * width
                ratio = np.exp(generator.uniform(-np.log(self.aspect), np.log(self.aspect)))
                rows = min(height, round(np.sqrt(area * ratio)))
                columns = min(width, round(np.sqrt(area / ratio)))
                top, left = generator.integers(height - rows + 1), generator.integers(width - columns + 1)
                rectangles.append(np.s_[top : top + rows, left : left + columns])
            cover(image, mask, rectangles, self.fill, self.labels, generator)
        return images, masks
