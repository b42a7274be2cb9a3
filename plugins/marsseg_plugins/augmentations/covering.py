"""Cover a part of an image: the code shared by `erase` and `gridmask`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from marsseg_core.plugin_api import VOID

CoverFill = Literal["mean", "black", "noise"]
CoveredLabels = Literal["void", "keep"]


def cover(
    image: np.ndarray,
    mask: np.ndarray,
    places: Sequence[Any],
    fill: CoverFill,
    labels: CoveredLabels,
    generator: np.random.Generator,
) -> None:
    """Cover an image (H, W, C) and its mask (H, W), in place; each of `places` is an index of rows and columns."""
    colour = image.mean(axis=0).mean(axis=0) if fill == "mean" else 0
    for place in places:
        image[place] = generator.random(image[place].shape, np.float32) if fill == "noise" else colour
        if labels == "void":
            mask[place] = VOID
