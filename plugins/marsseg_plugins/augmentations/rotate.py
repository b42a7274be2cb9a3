"""The augmentation `rotate`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from marsseg_core.plugin_api import Augmentation, Fill, Warp, param


@dataclass(frozen=True)
class Rotate(Augmentation):
    """Rotation about the centre by an angle drawn from −degrees to degrees.

    Pixels from outside the image are void.
    """

    degrees: float = param(15.0, help="largest angle, in degrees", minimum=0, maximum=180)
    fill: Fill = param("edge", help="how images continue beyond their edges")

    def warp(self, height: int, width: int, generator: np.random.Generator) -> Warp:
        angle = np.radians(generator.uniform(-self.degrees, self.degrees))
        cos, sin = np.cos(angle), np.sin(angle)
        return Warp.about_centre(np.array([[cos, sin], [-sin, cos]]), height, width, self.fill)
