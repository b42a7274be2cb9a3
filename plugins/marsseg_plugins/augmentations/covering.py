"""Cover a part of an image: the code shared by `erase` and `gridmask`."""

from __future__ import annotations

from typing import Literal

import numpy as np

from marsseg_core.plugin_api import VOID

CoverFill = Literal["mean", "black", "noise"]
CoveredLabels = Literal["void", "keep"]


def cover(
    image: np.ndarray,
    mask: np.ndarray,
    covered: np.ndarray,
    fill: CoverFill,
    labels: CoveredLabels,
    generator: np.random.Generator,
) -> None:
    """Cover an image (H, W, C) and its mask (H, W), in place, where `covered` (H, W) is True."""
    if fill == "noise":
        image[covered] = generator.random((np.count_nonzero(covered), image.shape[-1]), np.float32)
    else:
        image[covered] = image.mean(axis=(0, 1)) if fill == "mean" else 0
    if labels == "void":
        mask[covered] = VOID
