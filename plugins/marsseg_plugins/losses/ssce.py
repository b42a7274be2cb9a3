"""Sparse softmax cross-entropy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from marsseg_core.plugin_api import Loss, LossFunction, LossSpec


@dataclass(frozen=True)
class SSCE(Loss):
    """Sparse softmax cross-entropy: the mean of −log p over the labelled pixels.

    The mean is over the pixels of the batch that are neither void nor of an ignored class; 0 if there are none.
    """

    def build(self, spec: LossSpec) -> LossFunction:
        from keras import ops

        from .cross_entropy import pixel_cross_entropy, valid_pixels

        def ssce(labels: Any, logits: Any) -> Any:
            valid = valid_pixels(labels, spec.ignore_classes)
            count = ops.sum(ops.cast(valid, "float32"))
            return ops.sum(pixel_cross_entropy(labels, logits, valid)) / ops.maximum(count, 1.0)

        return ssce
