"""What all of marsseg agrees on: the void label, and the functions that components give."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    pass

VOID = 255

# The metric that stands first: where nobody names another, the best network is kept and runs are ranked by it.
HEADLINE: Final = "miou"


# (labels (B, H, W) integers, logits (B, H, W, K) float32) → scalar; a loss with targets is given them third
LossFunction = Callable[..., Any]
# NumPy masks (B, H, W) uint8 → array (B, …), what a loss wants to know of each mask beside its labels
TargetFunction = Callable[[Any], Any]


# (images, masks, generators) → (images, masks), as `Augmentation.apply`
Transform = Callable[..., Any]
