"""The augmentation `contrast`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from marsseg_core.plugin_api import Augmentation, param


@dataclass(frozen=True)
class Contrast(Augmentation):
    """Contrast: multiply the difference of an image from its mean by a random factor.

    The factor is drawn from 1 − strength to 1 + strength. The image is clipped to [0, 1].
    """

    strength: float = param(0.3, help="largest difference of the factor from 1", minimum=0, maximum=1)

    def apply(
        self, images: np.ndarray, masks: np.ndarray, generators: Sequence[np.random.Generator]
    ) -> tuple[np.ndarray, np.ndarray]:
        for image, generator in zip(images, generators, strict=True):
            change = np.float32(generator.uniform(-self.strength, self.strength))
            image += change * (image - image.mean())
        return np.clip(images, 0, 1, out=images), masks
