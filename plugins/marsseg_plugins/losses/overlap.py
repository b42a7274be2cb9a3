"""What the losses built on the overlap of prediction and truth share. All in float32."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from keras import ops

from .cross_entropy import valid_pixels

# Below it a power is replaced by a straight line: the slope of x^e at 0 is infinite for e < 1.
_STRAIGHT = 1e-7


def shares_and_truth(labels: Any, logits: Any, ignore_classes: Sequence[int]) -> tuple[Any, Any, Any]:
    """Labels (B, H, W) and logits (B, H, W, K) → softmax p, one-hot truth g (both B, H, W, K), and 1 − p.

    All three are exactly 0, without gradient, at pixels that are void or of an ignored class.
    """
    valid = valid_pixels(labels, ignore_classes)[..., None]
    logits = ops.where(valid, ops.cast(logits, "float32"), 0.0)
    log_p = ops.log_softmax(logits, axis=-1)
    classes = ops.arange(logits.shape[-1], dtype="int32")
    truth = ops.logical_and(valid, ops.equal(ops.cast(labels, "int32")[..., None], classes))
    # 1 − p from the logarithm keeps its digits where p is nearly 1.
    return ops.where(valid, ops.exp(log_p), 0.0), ops.cast(truth, "float32"), ops.where(valid, -ops.expm1(log_p), 0.0)


class Overlap(NamedTuple):
    """Σ p·g, Σ p·(1 − g), Σ (1 − p)·g and Σ g over the labelled pixels of a batch, (K,) each."""

    hits: Any
    false_positives: Any
    false_negatives: Any
    pixels: Any


def overlap(labels: Any, logits: Any, ignore_classes: Sequence[int]) -> Overlap:
    """How prediction and truth overlap, class by class."""
    p, truth, rest = shares_and_truth(labels, logits, ignore_classes)

    def total(values: Any) -> Any:
        return ops.sum(values, axis=(0, 1, 2))

    return Overlap(total(p * truth), total(p * (1 - truth)), total(rest * truth), total(truth))


def tversky_distance(found: Overlap, alpha: float, beta: float, smooth: float) -> Any:
    """(K,) 1 − (hits + ε) / (hits + α·FP + β·FN + ε), without the difference that would lose digits."""
    missed = alpha * found.false_positives + beta * found.false_negatives
    whole = found.hits + missed + smooth
    return missed / ops.where(whole > 0, whole, 1.0)


def mean_of_present(values: Any, pixels: Any, weights: np.ndarray) -> Any:
    """Σ w·v / Σ w over the classes with pixels, a scalar; 0 where no class counts. All arguments are (K,)."""
    weight = ops.where(pixels > 0, ops.convert_to_tensor(weights), 0.0)
    scale = ops.sum(weight)
    return ops.sum(weight * values) / ops.where(scale > 0, scale, 1.0)


def smooth_power(x: Any, exponent: float) -> Any:
    """x^exponent for x ≥ 0, but straight to 0 below 1e-7, so that value and gradient are finite everywhere."""
    power = ops.power(ops.maximum(x, _STRAIGHT), exponent)
    return ops.where(x > _STRAIGHT, power, x * _STRAIGHT ** (exponent - 1))


def jaccard_steps(truth: Any) -> Any:
    """What each pixel adds to the Jaccard distance 1 − I / U of its class when pixels are got wrong one by one.

    Truth (…, N) of 0 and 1 in the order in which they are got wrong → (…, N). A pixel of the class takes 1 from I, any
    other adds 1 to U; once no pixel of the class is left, I is 0 and the steps are exactly 0.
    """
    pixels = ops.sum(truth, axis=-1, keepdims=True)
    intersection = pixels - ops.cumsum(truth, axis=-1)
    union = ops.maximum(pixels + ops.cumsum(1 - truth, axis=-1), 1.0)
    other = intersection / (union * ops.maximum(union - 1, 1.0))
    return ops.where(truth > 0, 1 / union, other)
