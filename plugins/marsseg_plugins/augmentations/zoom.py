"""The augmentation `zoom`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from marsseg_core.plugin_api import Augmentation, Fill, Warp, param


@dataclass(frozen=True)
class Zoom(Augmentation):
    """Zoom about the centre by a factor drawn from `smallest` to `largest`, uniformly in its logarithm.

    Factors above 1 enlarge the image. With factors below 1, pixels from outside the image are void.
    """

    smallest: float = param(0.8, help="smallest factor", minimum=0.1, maximum=10)
    largest: float = param(1.25, help="largest factor", minimum=0.1, maximum=10)
    fill: Fill = param("edge", help="how images continue beyond their edges")

    def __post_init__(self) -> None:
        if self.smallest > self.largest:
            raise ValueError(f"smallest={self.smallest:g} is above largest={self.largest:g}")

    def warp(self, height: int, width: int, generator: np.random.Generator) -> Warp:
        factor = np.exp(generator.uniform(np.log(self.smallest), np.log(self.largest)))
        return Warp.about_centre(np.eye(2) / factor, height, width, self.fill)
