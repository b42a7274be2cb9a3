"""The augmentation `rotate`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from marsseg_core.plugin_api import Augmentation, param

from .warp import Fill, warp_affine


@dataclass(frozen=True)
class Rotate(Augmentation):
    """Rotation about the centre by an angle drawn from −degrees to degrees.

    Pixels from outside of the image are void.
    """

    degrees: float = param(15.0, help="largest angle, in degrees", minimum=0, maximum=180)
    fill: Fill = param("edge", help="how images continue beyond their edges")

    def apply(
        self, images: np.ndarray, masks: np.ndarray, generators: Sequence[np.random.Generator]
    ) -> tuple[np.ndarray, np.ndarray]:
        angles = np.radians([generator.uniform(-self.degrees, self.degrees) for generator in generators])
        cos, sin = np.cos(angles), np.sin(angles)
        matrices = np.stack([cos, sin, -sin, cos], axis=-1).reshape(-1, 2, 2)
        return warp_affine(images, masks, matrices, self.fill)
