"""The augmentation `mars`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np

from marsseg_core.plugin_api import Augmentation, param

from .brightness import Brightness
from .contrast import Contrast
from .hflip import HFlip
from .rotate import Rotate
from .zoom import Zoom


@dataclass(frozen=True)
class Mars(Augmentation):
    """Mars: flips, distances, tilts and light that vary as between rover images, all in one.

    A horizontal flip, a zoom, a small rotation, a change of brightness and one of contrast, each with a probability of
    one half. The pixels are moved by one warp. With p=1, one image in 32 stays as it is.
    """

    zoom: float = param(1.25, help="largest factor of the zoom; the smallest is 1 / zoom", minimum=1, maximum=10)
    degrees: float = param(5.0, help="largest angle of the rotation", minimum=0, maximum=180)
    brightness: float = param(0.15, help="largest change of brightness; images are in [0, 1]", minimum=0, maximum=1)
    contrast: float = param(0.3, help="largest difference of the factor of contrast from 1", minimum=0, maximum=1)

    def apply(
        self, images: np.ndarray, masks: np.ndarray, generators: Sequence[np.random.Generator]
    ) -> tuple[np.ndarray, np.ndarray]:
        moves: tuple[Augmentation, ...] = HFlip(), Zoom(1 / self.zoom, self.zoom), Rotate(self.degrees)
        lights: tuple[Augmentation, ...] = Brightness(self.brightness), Contrast(self.contrast)
        for image, mask, generator in zip(images, masks, generators, strict=True):
            height, width = mask.shape
            warps = [move.warp(height, width, generator) for move in moves if generator.random() < 0.5]
            if warps:
                reduce(lambda earlier, warp: warp.after(earlier), warps).apply(image, mask)
            for light in lights:
                if generator.random() < 0.5:
                    image[...] = light.apply(image[None], mask[None], [generator])[0][0]
        return images, masks
