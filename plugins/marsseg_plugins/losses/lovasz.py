"""Lovász-softmax."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from marsseg_core.plugin_api import LossFunction, LossSpec

from .weighted import WeightedLoss


@dataclass(frozen=True)
class Lovasz(WeightedLoss):
    """Lovász-softmax: the convex extension of 1 − IoU, which it equals on hard predictions.

    For each class the errors |g − p| of the labelled pixels of the batch (g the one-hot truth, p the softmax), from
    the largest to the smallest, times what each adds to the Jaccard distance when the pixels are got wrong in that
    order. The loss is the weighted mean over the classes that the batch has and that are not ignored; it is in
    [0, 1], and 0 if there are none.

    Berman and others, CVPR 2018, arXiv 1705.08790, over the batch and not image by image.
    """

    def build(self, spec: LossSpec) -> LossFunction:
        import numpy as np
        from keras import ops

        from .cross_entropy import valid_pixels
        from .overlap import jaccard_steps, mean_of_present, shares_and_truth

        counted = np.array([c for c in range(spec.num_classes) if c not in spec.ignore_classes], np.int32)
        weights = self.class_weights(spec)[counted]

        def by_class(values: Any) -> Any:
            """(B, H, W, K) → (classes that count, B·H·W)."""
            return ops.transpose(ops.reshape(ops.take(values, counted, axis=-1), (-1, len(counted))))

        def lovasz(labels: Any, logits: Any) -> Any:
            p, truth, rest = map(by_class, shares_and_truth(labels, logits, spec.ignore_classes))
            errors = ops.where(truth > 0, rest, p)
            # Behind all that count, pixels that do not count add nothing and change no other pixel's step.
            valid = ops.reshape(valid_pixels(labels, spec.ignore_classes), (1, -1))
            order = ops.argsort(ops.where(valid, -errors, 1.0), axis=-1)
            steps = jaccard_steps(ops.take_along_axis(truth, order, axis=-1))
            distance = ops.sum(ops.take_along_axis(errors, order, axis=-1) * steps, axis=-1)
            return mean_of_present(distance, ops.sum(truth, axis=-1), weights)

        return lovasz
