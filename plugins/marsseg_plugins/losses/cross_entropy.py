"""What the losses built on cross-entropy share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keras import ops

from marsseg_core.plugin_api import VOID


def valid_pixels(labels: Any, ignore_classes: Sequence[int]) -> Any:
    """Labels (…) → boolean (…): neither void nor of an ignored class."""
    labels = ops.cast(labels, "int32")
    valid = ops.not_equal(labels, VOID)
    for c in ignore_classes:
        valid = ops.logical_and(valid, ops.not_equal(labels, c))
    return valid


def pixel_cross_entropy(labels: Any, logits: Any, valid: Any) -> Any:
    """−log softmax(logits)[label] of each pixel in float32, and exactly 0, with no gradient, where not `valid`.

    Labels (B, H, W), logits (B, H, W, K), valid (B, H, W) boolean → (B, H, W).
    """
    # What an invalid pixel holds is replaced before it enters the formula: 0 × ∞ would not be 0.
    labels = ops.where(valid, ops.cast(labels, "int32"), 0)
    logits = ops.where(valid[..., None], ops.cast(logits, "float32"), 0.0)
    entropy = ops.sparse_categorical_crossentropy(labels, logits, from_logits=True)
    return ops.where(valid, entropy, 0.0)
