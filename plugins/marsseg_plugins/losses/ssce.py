"""The sparse softmax cross-entropy loss."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from marsseg_core.plugin_api import Loss, LossFunction, LossSpec, param

from .weighted import SMOOTHING_HELP


@dataclass(frozen=True)
class SSCE(Loss):
    """Sparse softmax cross-entropy: the mean of −log p over the labelled pixels.

    Labelled pixels are those of the batch that are neither void nor of an ignored class. The loss is 0 if there is
    none.

    `smoothing` s replaces the label y by a mixture: 1 − s of y, and s spread evenly over the M classes that are not
    ignored, y included. A pixel then has the value (1 − s)·(−log p_y) + s / M · Σ_c (−log p_c). Void and ignored pixels
    still have no effect. (Szegedy and others, arXiv 1512.00567.)
    """

    smoothing: float = param(0.0, help=SMOOTHING_HELP, minimum=0, maximum=0.9)

    def build(self, spec: LossSpec) -> LossFunction:
        from keras import ops

        from .cross_entropy import smoothed_cross_entropy, valid_pixels

        def ssce(labels: Any, logits: Any) -> Any:
            valid = valid_pixels(labels, spec.ignore_classes)
            count = ops.sum(ops.cast(valid, "float32"))
            values = smoothed_cross_entropy(labels, logits, valid, spec, self.smoothing)
            return ops.sum(values) / ops.maximum(count, 1.0)

        return ssce
