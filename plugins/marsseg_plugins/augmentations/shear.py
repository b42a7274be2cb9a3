"""The augmentation `shear`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from marsseg_core.plugin_api import Augmentation, param

from .warp import Fill, warp_affine


@dataclass(frozen=True)
class Shear(Augmentation):
    """Shear: shift rows sideways, in proportion to their distance from the middle row.

    A vertical line is tilted by an angle drawn from −degrees to degrees. Pixels from outside of the image are void.
    """

    degrees: float = param(10.0, help="largest angle, in degrees", minimum=0, maximum=80)
    fill: Fill = param("edge", help="how images continue beyond their edges")

    def apply(
        self, images: np.ndarray, masks: np.ndarray, generators: Sequence[np.random.Generator]
    ) -> tuple[np.ndarray, np.ndarray]:
        matrices = np.tile(np.eye(2), (len(images), 1, 1))
        matrices[:, 1, 0] = [
            np.tan(np.radians(generator.uniform(-self.degrees, self.degrees))) for generator in generators
        ]
        return warp_affine(images, masks, matrices, self.fill)
