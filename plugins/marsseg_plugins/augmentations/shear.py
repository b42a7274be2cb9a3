"""The augmentation `shear`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from marsseg_core.plugin_api import Augmentation, Fill, Warp, param


@dataclass(frozen=True)
class Shear(Augmentation):
    """Shear: shift rows sideways, in proportion to their distance from the middle row.

    A vertical line is tilted by an angle drawn from −degrees to degrees. Pixels from outside the image are void.
    """

    degrees: float = param(10.0, help="largest angle, in degrees", minimum=0, maximum=80)
    fill: Fill = param("edge", help="how images continue beyond their edges")

    def warp(self, height: int, width: int, generator: np.random.Generator) -> Warp:
        slope = np.tan(np.radians(generator.uniform(-self.degrees, self.degrees)))
        return Warp.about_centre(np.array([[1, 0], [slope, 1]]), height, width, self.fill)
