"""Elastic deformation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from marsseg_core.plugin_api import Augmentation, param

from .warp import Fill, pixel_grid, warp


@dataclass(frozen=True)
class Elastic(Augmentation):
    """Elastic deformation: each pixel moves by a smooth random field.

    The field is white noise after a Gaussian filter (Simard and others, 2003), scaled so that the root mean square
    of its rows and of its columns is `pixels`. Ground folds over itself where `pixels` is not well below `sigma`;
    what comes in from outside is void.
    """

    pixels: float = param(2.0, help="typical displacement in each direction, in pixels", minimum=0)
    sigma: float = param(8.0, help="standard deviation of the filter, in pixels: larger is smoother", minimum=1)
    fill: Fill = param("edge", help="what images show outside of themselves")

    def apply(
        self, images: np.ndarray, masks: np.ndarray, generators: Sequence[np.random.Generator]
    ) -> tuple[np.ndarray, np.ndarray]:
        from scipy import ndimage

        _, height, width, _ = images.shape
        noise = np.stack([generator.standard_normal((2, height, width), np.float32) for generator in generators])
        field = ndimage.gaussian_filter(noise, (0, 0, self.sigma, self.sigma), truncate=3).astype(np.float64)
        field *= self.pixels / np.sqrt(np.mean(field**2, axis=(2, 3), keepdims=True))
        return warp(images, masks, pixel_grid(height, width) + field, self.fill)
