"""What all of marsseg agrees on: the void label, and the functions that components give."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

VOID = 255
"""Mark pixels of a mask that have no class: 255 is ignored by every loss and metric, and is evidence of nothing."""

HEADLINE: Final = "miou"
"""Name the metric that stands first: unless another is named, networks are kept and runs are ranked by it."""

LossFunction = Callable[..., Any]
"""Map labels (B, H, W) integers and logits (B, H, W, K) float32 to a scalar; targets, where there are, come third."""

TargetFunction = Callable[[Any], Any]
"""Map NumPy masks (B, H, W) uint8 to an array (B, …): what a loss wants to know of each mask beside its labels."""

Transform = Callable[..., Any]
"""Map images, masks and generators to images and masks, as `Augmentation.apply` does."""
