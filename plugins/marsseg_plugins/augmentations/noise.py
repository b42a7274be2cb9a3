"""The augmentation `noise`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from marsseg_core.plugin_api import Augmentation, param

# Numbers of 16 bits are drawn, which takes a tenth of the time of normally distributed ones.
_LEVELS = 2**16


@dataclass(frozen=True)
class Noise(Augmentation):
    """Gaussian noise, with a standard deviation drawn from 0 to `sigma` for each image; clipped to [0, 1].

    The noise has 65,536 equally likely values, up to 4.3 standard deviations.
    """

    sigma: float = param(0.05, help="largest standard deviation; images are in [0, 1]", minimum=0, maximum=1)

    def apply(
        self, images: np.ndarray, masks: np.ndarray, generators: Sequence[np.random.Generator]
    ) -> tuple[np.ndarray, np.ndarray]:
        for image, generator in zip(images, generators, strict=True):
            values = np.float32(generator.uniform(0, self.sigma)) * _normal_values()
            image += values.take(generator.integers(_LEVELS, size=image.shape, dtype=np.uint16))
        return np.clip(images, 0, 1, out=images), masks


@cache
def _normal_values() -> np.ndarray:
    """Return the values of the standard normal distribution at the middles of equally likely intervals, float32."""
    from scipy.special import ndtri

    values: np.ndarray = ndtri((np.arange(_LEVELS) + 0.5) / _LEVELS).astype(np.float32)
    return values
