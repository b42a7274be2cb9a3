"""The augmentation `noise`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from marsseg_core.plugin_api import Augmentation, param


@dataclass(frozen=True)
class Noise(Augmentation):
    """Gaussian noise, with a standard deviation drawn from 0 to `sigma` for each image; clipped to [0, 1]."""

    sigma: float = param(0.05, help="largest standard deviation; images are in [0, 1]", minimum=0, maximum=1)

    def apply(
        self, images: np.ndarray, masks: np.ndarray, generators: Sequence[np.random.Generator]
    ) -> tuple[np.ndarray, np.ndarray]:
        for image, generator in zip(images, generators, strict=True):
            sigma = np.float32(generator.uniform(0, self.sigma))
            image += sigma * generator.standard_normal(image.shape, np.float32)
        return np.clip(images, 0, 1, out=images), masks
