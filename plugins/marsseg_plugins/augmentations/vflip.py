"""The augmentation `vflip`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from marsseg_core.plugin_api import Augmentation

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class VFlip(Augmentation):
    """Vertical flip: swap top and bottom."""

    def apply(
        self, images: np.ndarray, masks: np.ndarray, generators: Sequence[np.random.Generator]
    ) -> tuple[np.ndarray, np.ndarray]:
        return images[:, ::-1], masks[:, ::-1]
