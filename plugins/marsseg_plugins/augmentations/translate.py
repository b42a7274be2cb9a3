"""The augmentation `translate`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from marsseg_core.plugin_api import Augmentation, Fill, Warp, param


@dataclass(frozen=True)
class Translate(Augmentation):
    """Translation by whole pixels, up or down and left or right.

    Pixels from outside the image are void.
    """

    rows: float = param(0.1, help="largest shift up or down, as a share of the height", minimum=0, maximum=1)
    columns: float = param(
        0.1, help="largest shift to the left or right, as a share of the width", minimum=0, maximum=1
    )
    fill: Fill = param("edge", help="how images continue beyond their edges")

    def warp(self, height: int, width: int, generator: np.random.Generator) -> Warp:
        largest = np.array([self.rows * height, self.columns * width])
        shift = np.rint(generator.uniform(-largest, largest))
        return Warp(np.column_stack([np.eye(2), -shift]), self.fill)
