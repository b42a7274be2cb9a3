"""What all of marsseg agrees on: the void label, and the functions that components give."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    pass

VOID = 255
"""Mark pixels of a mask that have no class: 255 is ignored by every loss and metric, and is evidence of nothing."""

LossFunction = Callable[..., Any]
"""Map labels (B, H, W) integers and logits (B, H, W, K) float32 to a scalar; targets, where there are, come third."""

TargetFunction = Callable[[Any], Any]
"""Map NumPy masks (B, H, W) uint8 to an array (B, …): what a loss wants to know of each mask beside its labels."""

Transform = Callable[..., Any]
"""Map images, masks and generators to images and masks, as `Augmentation.apply` does."""
