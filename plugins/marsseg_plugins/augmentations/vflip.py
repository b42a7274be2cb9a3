"""The augmentation `vflip`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from marsseg_core.plugin_api import Augmentation, Warp


@dataclass(frozen=True)
class VFlip(Augmentation):
    """Vertical flip: swap top and bottom."""

    def warp(self, height: int, width: int, generator: np.random.Generator) -> Warp:
        return _flip(height)


@lru_cache(maxsize=4)
def _flip(height: int) -> Warp:
    """Return the warp, which is the same for all images of a size."""
    return Warp(np.array([[-1, 0, height - 1], [0, 1, 0]]), fill=None)
