"""The augmentation `translate`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from marsseg_core.plugin_api import Augmentation, param

from .warp import Fill, pixel_grid, warp


@dataclass(frozen=True)
class Translate(Augmentation):
    """Translation by whole pixels, up or down and left or right.

    Pixels from outside of the image are void.
    """

    rows: float = param(0.1, help="largest shift up or down, as a share of the height", minimum=0, maximum=1)
    columns: float = param(
        0.1, help="largest shift to the left or right, as a share of the width", minimum=0, maximum=1
    )
    fill: Fill = param("edge", help="how images continue beyond their edges")

    def apply(
        self, images: np.ndarray, masks: np.ndarray, generators: Sequence[np.random.Generator]
    ) -> tuple[np.ndarray, np.ndarray]:
        _, height, width, _ = images.shape
        largest = np.array([self.rows * height, self.columns * width])
        shifts = np.rint([generator.uniform(-largest, largest) for generator in generators])
        return warp(images, masks, pixel_grid(height, width) - shifts[..., None, None], self.fill)
