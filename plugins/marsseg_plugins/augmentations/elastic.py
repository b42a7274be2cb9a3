"""The augmentation `elastic`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from marsseg_core.plugin_api import Augmentation, Fill, Warp, param

from .filters import gaussian_filter


@dataclass(frozen=True)
class Elastic(Augmentation):
    """Elastic deformation: move each pixel by a smooth random field.

    The field is white noise after a Gaussian filter (Simard and others, 2003). It is scaled so that the root mean
    square of the displacements is `pixels`, for rows and for columns. Choose `pixels` well below `sigma`: otherwise
    parts of the image fold over each other. Pixels from outside the image are void.
    """

    pixels: float = param(2.0, help="typical displacement in each direction, in pixels", minimum=0, maximum=1_000)
    sigma: float = param(
        8.0, help="standard deviation of the filter, in pixels: larger is smoother", minimum=1, maximum=1_000
    )
    fill: Fill = param("edge", help="how images continue beyond their edges")

    def warp(self, height: int, width: int, generator: np.random.Generator) -> Warp:
        noise = generator.standard_normal((2, height, width, 1), np.float32)
        field = np.stack([gaussian_filter(each, self.sigma, 3, "BORDER_REFLECT")[..., 0] for each in noise])
        field *= self.pixels / np.sqrt(np.mean(np.square(field), axis=(1, 2), keepdims=True))
        return Warp.by_offsets(field, self.fill)
