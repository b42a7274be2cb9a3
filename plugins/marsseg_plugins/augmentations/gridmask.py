"""The augmentation `gridmask`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from marsseg_core.plugin_api import Augmentation, param

from .covering import CoveredLabels, CoverFill, cover


@dataclass(frozen=True)
class GridMask(Augmentation):
    """GridMask: cover squares in a regular grid.

    The period of the grid is drawn from `smallest` to `largest` times the shorter side of the image, and its offset
    from 0 to one period. In each cell a square is covered whose side is `covered` times that of the cell, so covered²
    of the image is covered.

    Chen and others, arXiv 2001.04086 (with r = 1 − covered; they use r = 0.6), without rotation of the grid.
    """

    smallest: float = param(0.25, help="smallest period, as a share of the shorter side", above=0, maximum=2)
    largest: float = param(0.75, help="largest period, as a share of the shorter side", above=0, maximum=2)
    covered: float = param(0.4, help="side of a covered square, as a share of the side of a cell", minimum=0, maximum=1)
    fill: CoverFill = param("mean", help="what replaces covered pixels: the mean colour of the image, black, or noise")
    labels: CoveredLabels = param("void", help="void: covered pixels become void; keep: they keep their labels")

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
            cover(image, mask, [rows[:, None] & columns], self.fill, self.labels, generator)
        return images, masks
