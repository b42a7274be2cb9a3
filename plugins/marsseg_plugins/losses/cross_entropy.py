"""Functions that the losses based on cross-entropy share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keras import ops

from marsseg_core.plugin_api import VOID


def valid_pixels(labels: Any, ignore_classes: Sequence[int]) -> Any:
    """Return where labels (…) are neither void nor of an ignored class, (…) boolean."""
    labels = ops.cast(labels, "int32")
    valid = ops.not_equal(labels, VOID)
    for c in ignore_classes:
        valid = ops.logical_and(valid, ops.not_equal(labels, c))
    return valid


def pixel_cross_entropy(labels: Any, logits: Any, valid: Any) -> Any:
    """Return −log softmax(logits)[label] of each pixel, (B, H, W) float32.

    Labels are (B, H, W), logits (B, H, W, K), `valid` (B, H, W) boolean. At pixels that are not valid, the value is
    exactly 0, and the gradient too.
    """
    # Values of invalid pixels are replaced before they enter the formula, because 0 × ∞ is not 0.
    labels = ops.where(valid, ops.cast(labels, "int32"), 0)
    logits = ops.where(valid[..., None], ops.cast(logits, "float32"), 0.0)
    entropy = ops.sparse_categorical_crossentropy(labels, logits, from_logits=True)
    return ops.where(valid, entropy, 0.0)
