"""Define conventions of all of marsseg: the void label, the default metric, and the types of component functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

VOID = 255
"""Mark pixels of a mask that have no class: every loss and metric ignores 255."""

HEADLINE: Final = "miou"
"""Name the default metric, by which the best epoch is chosen and runs are ranked unless another one is set."""

LossFunction = Callable[..., Any]
"""Map labels (B, H, W) integers, logits (B, H, W, K) float32 and, where wanted, targets and images to a scalar."""

TargetFunction = Callable[[Any], Any]
"""Map NumPy masks (B, H, W) uint8 to an array (B, …) that a loss needs in addition to the labels."""

Transform = Callable[..., Any]
"""Map images, masks and random generators to images and masks, like `Augmentation.apply`."""
