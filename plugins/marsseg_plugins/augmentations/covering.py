"""What the augmentations that cover a part of an image share."""

from __future__ import annotations

from typing import Literal

import numpy as np

from marsseg_core.plugin_api import VOID

TileAxis = Literal["mean", "black", "noise"]
CoveredLabels = Literal["void", "keep"]


def cover(
    image: np.ndarray,
    mask: np.ndarray,
    covered: np.ndarray,
    fill: TileAxis,
    labels: CoveredLabels,
    generator: np.random.Generator,
) -> None:
    """Change an image (H, W, C) and its mask (H, W) in place where `covered` (H, W) is true."""
    if fill == "noise":
        image[covered] = generator.random((np.count_nonzero(covered), image.shape[-1]), np.float32)
    else:
        image[covered] = image.mean(axis=(0, 1)) if fill == "mean" else 0
    if labels == "void":
        mask[covered] = VOID
