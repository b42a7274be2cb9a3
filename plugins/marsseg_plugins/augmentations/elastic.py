"""The augmentation `elastic`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from marsseg_core.plugin_api import Augmentation, param

from .warp import Fill, pixel_grid, warp


@dataclass(frozen=True)
class Elastic(Augmentation):
    """Elastic deformation: move each pixel by a smooth random field.

    The field is white noise after a Gaussian filter (Simard and others, 2003). It is scaled so that the root mean
    square of the displacements is `pixels`, for rows and for columns. Choose `pixels` well below `sigma`: otherwise
    parts of the image fold over each other. Pixels from outside of the image are void.
    """

    pixels: float = param(2.0, help="typical displacement in each direction, in pixels", minimum=0, maximum=1_000)
    sigma: float = param(
        8.0, help="standard deviation of the filter, in pixels: larger is smoother", minimum=1, maximum=1_000
    )
    fill: Fill = param("edge", help="how images continue beyond their edges")

    def apply(
        self, images: np.ndarray, masks: np.ndarray, generators: Sequence[np.random.Generator]
    ) -> tuple[np.ndarray, np.ndarray]:
        from scipy import ndimage

        _, height, width, _ = images.shape
        noise = np.stack([generator.standard_normal((2, height, width), np.float32) for generator in generators])
        field = ndimage.gaussian_filter(noise, (0, 0, self.sigma, self.sigma), truncate=3).astype(np.float64)
        field *= self.pixels / np.sqrt(np.mean(field**2, axis=(2, 3), keepdims=True))
        return warp(images, masks, pixel_grid(height, width) + field, self.fill)
