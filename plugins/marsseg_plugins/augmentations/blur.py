"""The augmentation `blur`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from marsseg_core.plugin_api import Augmentation, param

from .filters import gaussian_filter


@dataclass(frozen=True)
class Blur(Augmentation):
    """Gaussian blur, with a standard deviation drawn from 0 to `sigma` pixels for each image."""

    sigma: float = param(1.0, help="largest standard deviation, in pixels", minimum=0, maximum=100)

    def apply(
        self, images: np.ndarray, masks: np.ndarray, generators: Sequence[np.random.Generator]
    ) -> tuple[np.ndarray, np.ndarray]:
        for image, generator in zip(images, generators, strict=True):
            sigma = generator.uniform(0, self.sigma)
            np.clip(gaussian_filter(image, sigma, 4, "BORDER_REPLICATE"), 0, 1, out=image)
        return images, masks
