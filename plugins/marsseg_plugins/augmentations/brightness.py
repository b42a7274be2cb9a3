"""The augmentation `brightness`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from marsseg_core.plugin_api import Augmentation, param


@dataclass(frozen=True)
class Brightness(Augmentation):
    """Brightness: add a number drawn from −strength to strength to an image; clip it to [0, 1]."""

    strength: float = param(0.15, help="largest change; images are in [0, 1]", minimum=0, maximum=1)

    def apply(
        self, images: np.ndarray, masks: np.ndarray, generators: Sequence[np.random.Generator]
    ) -> tuple[np.ndarray, np.ndarray]:
        for image, generator in zip(images, generators, strict=True):
            image += np.float32(generator.uniform(-self.strength, self.strength))
        return np.clip(images, 0, 1, out=images), masks
