"""The augmentation `hflip`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from marsseg_core.plugin_api import Augmentation, Warp


@dataclass(frozen=True)
class HFlip(Augmentation):
    """Horizontal flip: swap left and right."""

    def warp(self, height: int, width: int, generator: np.random.Generator) -> Warp:
        return _flip(width)


@lru_cache(maxsize=4)
def _flip(width: int) -> Warp:
    """Return the warp, which is the same for all images of a size."""
    return Warp(np.array([[1, 0, 0], [0, -1, width - 1]]), fill=None)
