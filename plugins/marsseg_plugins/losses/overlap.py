"""Functions that the losses based on the overlap of prediction and truth share. All compute in float32."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from keras import ops

from .cross_entropy import valid_pixels

# Below this value a power is replaced by a straight line, because the slope of x^e at 0 is infinite for e < 1.
_LINEAR_BELOW = 1e-7


def shares_and_truth(labels: Any, logits: Any, ignore_classes: Sequence[int]) -> tuple[Any, Any, Any]:
    """Return the softmax p, the one-hot truth g and 1 − p, each (B, H, W, K), of labels (B, H, W) and logits.

    All three are exactly 0, without gradient, at pixels that are void or of an ignored class.
    """
    valid = valid_pixels(labels, ignore_classes)[..., None]
    logits = ops.where(valid, ops.cast(logits, "float32"), 0.0)
    log_p = ops.log_softmax(logits, axis=-1)
    classes = ops.arange(logits.shape[-1], dtype="int32")
    truth = ops.logical_and(valid, ops.equal(ops.cast(labels, "int32")[..., None], classes))
    # Computed from the logarithm, 1 − p keeps its precision where p is nearly 1.
    return ops.where(valid, ops.exp(log_p), 0.0), ops.cast(truth, "float32"), ops.where(valid, -ops.expm1(log_p), 0.0)


class Overlap(NamedTuple):
    """The sums Σ p·g, Σ p·(1 − g), Σ (1 − p)·g and Σ g over the labelled pixels of a batch, (K,) each."""

    hits: Any
    false_positives: Any
    false_negatives: Any
    pixels: Any


def overlap(labels: Any, logits: Any, ignore_classes: Sequence[int]) -> Overlap:
    """Compute the overlap of prediction and truth for each class."""
    p, truth, rest = shares_and_truth(labels, logits, ignore_classes)

    def total(values: Any) -> Any:
        return ops.sum(values, axis=(0, 1, 2))

    return Overlap(total(p * truth), total(p * (1 - truth)), total(rest * truth), total(truth))


def tversky_distance(sums: Overlap, alpha: float, beta: float, smooth: float) -> Any:
    """Return 1 − (hits + ε) / (hits + α·FP + β·FN + ε), (K,), computed without the difference, which loses digits."""
    wrong = alpha * sums.false_positives + beta * sums.false_negatives
    total = sums.hits + wrong + smooth
    return wrong / ops.where(total > 0, total, 1.0)


def mean_of_present(values: Any, pixels: Any, weights: np.ndarray) -> Any:
    """Return Σ w·v / Σ w over the classes with pixels, a scalar; 0 where Σ w is 0. All arguments are (K,)."""
    weight = ops.where(pixels > 0, ops.convert_to_tensor(weights), 0.0)
    scale = ops.sum(weight)
    return ops.sum(weight * values) / ops.where(scale > 0, scale, 1.0)


def smooth_power(x: Any, exponent: float) -> Any:
    """Return x^exponent for x ≥ 0, with a straight line to 0 below 1e-7, so that value and gradient are finite."""
    power = ops.power(ops.maximum(x, _LINEAR_BELOW), exponent)
    return ops.where(x > _LINEAR_BELOW, power, x * _LINEAR_BELOW ** (exponent - 1))


def jaccard_steps(truth: Any) -> Any:
    """Return the increase of the Jaccard distance 1 − I / U of a class as its pixels become wrong one by one.

    `truth` (…, N) is 1 for pixels of the class and 0 for others, in the order in which they become wrong. The result
    is (…, N). A pixel of the class takes 1 from I, any other pixel adds 1 to U. When no pixel of the class is left, I
    is 0 and the steps are exactly 0.
    """
    pixels = ops.sum(truth, axis=-1, keepdims=True)
    intersection = pixels - ops.cumsum(truth, axis=-1)
    union = ops.maximum(pixels + ops.cumsum(1 - truth, axis=-1), 1.0)
    other = intersection / (union * ops.maximum(union - 1, 1.0))
    return ops.where(truth > 0, 1 / union, other)
