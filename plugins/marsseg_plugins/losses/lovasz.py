"""The Lovász-softmax loss."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from marsseg_core.plugin_api import LossFunction, LossSpec, param

from .weighted import WeightedLoss


@dataclass(frozen=True)
class Lovasz(WeightedLoss):
    """Lovász-softmax: the convex extension of 1 − IoU; for hard predictions it is equal to 1 − IoU.

    For each class, the errors |g − p| of the labelled pixels of the batch are sorted from the largest to the smallest
    (g is the one-hot truth, p the softmax). Each error is multiplied by the increase of the Jaccard distance when the
    pixels become wrong one after the other in that order, and the products are added up. The loss is the weighted mean
    over the classes that are in the batch and not ignored. It is in [0, 1], and 0 if there is no such class.

    Sorting takes long compared with a small network. Neighbouring pixels have nearly the same errors, so `stride=2`
    does nearly the same for a quarter of the time.

    Paper: Berman and others, CVPR 2018, arXiv 1705.08790; here over the batch, not image by image.
    """

    stride: int = param(1, help="use only every n-th row and column of pixels", minimum=1, maximum=64)

    def build(self, spec: LossSpec) -> LossFunction:
        import numpy as np
        from keras import ops

        from .cross_entropy import valid_pixels
        from .overlap import jaccard_steps, mean_of_present, shares_and_truth

        counted = np.array([c for c in range(spec.num_classes) if c not in spec.ignore_classes], np.int32)
        weights = self.class_weights(spec)[counted]

        def by_class(values: Any) -> Any:
            """Reshape values (B, H, W, K) to (classes that are not ignored, B·H·W)."""
            return ops.transpose(ops.reshape(ops.take(values, counted, axis=-1), (-1, len(counted))))

        def lovasz(labels: Any, logits: Any) -> Any:
            labels, logits = (x[:, :: self.stride, :: self.stride] for x in (labels, logits))
            p, truth, rest = map(by_class, shares_and_truth(labels, logits, spec.ignore_classes))
            errors = ops.where(truth > 0, rest, p)
            # Void and ignored pixels are sorted to the end: there they add nothing and change no other pixel's step.
            valid = ops.reshape(valid_pixels(labels, spec.ignore_classes), (1, -1))
            order = ops.argsort(ops.where(valid, -errors, 1.0), axis=-1)
            steps = jaccard_steps(ops.take_along_axis(truth, order, axis=-1))
            distance = ops.sum(ops.take_along_axis(errors, order, axis=-1) * steps, axis=-1)
            return mean_of_present(distance, ops.sum(truth, axis=-1), weights)

        return lovasz
