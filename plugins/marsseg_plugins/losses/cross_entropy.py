"""Functions that the losses based on cross-entropy share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keras import ops

from marsseg_core.plugin_api import VOID, LossSpec


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


def smoothed_cross_entropy(labels: Any, logits: Any, valid: Any, spec: LossSpec, smoothing: float) -> Any:
    """Return the cross-entropy of each pixel with its smoothed label, (B, H, W) float32.

    With M classes that are not ignored, the value is (1 − s)·(−log p_y) + s / M · Σ_c (−log p_c), with y the label and
    the sum over these M classes. Without smoothing, and at pixels that are not valid, it is `pixel_cross_entropy`.
    """
    entropy = pixel_cross_entropy(labels, logits, valid)
    counted = [c for c in range(spec.num_classes) if c not in spec.ignore_classes]
    if not (smoothing and counted):
        return entropy
    logits = ops.where(valid[..., None], ops.cast(logits, "float32"), 0.0)
    log_p = ops.take(ops.log_softmax(logits, axis=-1), ops.convert_to_tensor(counted, "int32"), axis=-1)
    return ops.where(valid, (1 - smoothing) * entropy - smoothing * ops.mean(log_p, axis=-1), 0.0)


def pixel_weights(labels: Any, valid: Any, weights: Any) -> Any:
    """Return the weight of the labelled class of each pixel, (B, H, W), 0 where it is not valid; weights are (K,)."""
    classes = ops.where(valid, ops.cast(labels, "int32"), 0)
    return ops.where(valid, ops.take(ops.convert_to_tensor(weights), classes), 0.0)


def weighted_mean(values: Any, labels: Any, valid: Any, weights: Any) -> Any:
    """Return Σ w·v / Σ w over the valid pixels, with w the weight of the labelled class; 0 where Σ w is 0.

    Values and labels are (B, H, W), `valid` (B, H, W) boolean, class weights (K,).
    """
    weight = pixel_weights(labels, valid, weights)
    scale = ops.sum(weight)
    return ops.sum(weight * values) / ops.where(scale > 0, scale, 1.0)
