"""The sparse softmax cross-entropy loss."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from marsseg_core.plugin_api import Loss, LossFunction, LossSpec


@dataclass(frozen=True)
class SSCE(Loss):
    """Sparse softmax cross-entropy: the mean of −log p over the labelled pixels.

    Labelled pixels are those of the batch that are neither void nor of an ignored class. The loss is 0 if there is
    none.
    """

    def build(self, spec: LossSpec) -> LossFunction:
        from keras import ops

        from .cross_entropy import pixel_cross_entropy, valid_pixels

        def ssce(labels: Any, logits: Any) -> Any:
            valid = valid_pixels(labels, spec.ignore_classes)
            count = ops.sum(ops.cast(valid, "float32"))
            return ops.sum(pixel_cross_entropy(labels, logits, valid)) / ops.maximum(count, 1.0)

        return ssce
