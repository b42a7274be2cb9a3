"""The augmentation `shade`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from marsseg_core.plugin_api import Augmentation, param


@dataclass(frozen=True)
class Shade(Augmentation):
    """Shade: darken each image evenly from one side to the other, in a random direction.

    At the dark side the image is multiplied by 1 − s, where s is drawn from 0 to `strength`.
    """

    strength: float = param(0.6, help="largest s; images are darkened to 1 − s", minimum=0, maximum=1)

    def apply(
        self, images: np.ndarray, masks: np.ndarray, generators: Sequence[np.random.Generator]
    ) -> tuple[np.ndarray, np.ndarray]:
        rows, columns = (np.linspace(-1, 1, size, dtype=np.float32) for size in images.shape[1:3])
        for image, generator in zip(images, generators, strict=True):
            angle, strength = generator.uniform(0, 2 * np.pi), generator.uniform(0, self.strength)
            distance = np.sin(angle) * rows[:, None] + np.cos(angle) * columns
            # From 0 at the bright corner to 1 at the dark one.
            distance = (distance - distance.min()) / max(float(distance.max() - distance.min()), 1e-6)
            image *= 1 - np.float32(strength) * distance[..., None].astype(np.float32)
        return images, masks
