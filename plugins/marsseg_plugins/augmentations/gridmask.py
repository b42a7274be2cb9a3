"""GridMask."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from marsseg_core.plugin_api import Augmentation, param

from .covering import CoveredLabels, TileAxis, cover


@dataclass(frozen=True)
class GridMask(Augmentation):
    """GridMask: squares in a regular grid are covered.

    The grid's period is drawn from `smallest` to `largest` times the image's shorter side, its offset from one
    period. Of each cell a square with `covered` of its side is covered, so covered² of the image.

    Chen and others, arXiv 2001.04086 (who write r = 1 − covered and take r = 0.6), without turning the grid.
    """

    smallest: float = param(0.25, help="smallest period, as a share of the shorter side", above=0, maximum=2)
    largest: float = param(0.75, help="largest period, as a share of the shorter side", above=0, maximum=2)
    covered: float = param(0.4, help="share of a cell's side that is covered", minimum=0, maximum=1)
    fill: TileAxis = param("mean", help="what covers: the image's mean colour, black, noise")
    labels: CoveredLabels = param(
        "void", help="covered ground is void, or keeps its labels to be guessed from what surrounds it"
    )

    def __post_init__(self) -> None:
        if self.smallest > self.largest:
            raise ValueError(f"smallest={self.smallest:g} is above largest={self.largest:g}")

    def apply(
        self, images: np.ndarray, masks: np.ndarray, generators: Sequence[np.random.Generator]
    ) -> tuple[np.ndarray, np.ndarray]:
        _, height, width, _ = images.shape
        for image, mask, generator in zip(images, masks, generators, strict=True):
            period = generator.uniform(self.smallest, self.largest) * min(height, width)
            top, left = generator.uniform(0, period, 2)
            rows = (np.arange(height) + top) % period < self.covered * period
            columns = (np.arange(width) + left) % period < self.covered * period
            cover(image, mask, rows[:, None] & columns, self.fill, self.labels, generator)
        return images, masks
