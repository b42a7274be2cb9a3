"""The loss `poly`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from marsseg_core.plugin_api import Loss, LossFunction, LossSpec, param


@dataclass(frozen=True)
class Poly(Loss):
    """Poly-1: cross-entropy with a stronger gradient at almost correct pixels.

    The loss is the mean of −log p + ε·(1 − p) over the labelled pixels of the batch, where p is the softmax probability
    of the true class. It is 0 if no pixel is labelled. With ε = 0 it is cross-entropy.

    Leng and others, arXiv 2204.12511.
    """

    epsilon: float = param(1.0, help="ε, the weight of the linear term", minimum=0)

    def build(self, spec: LossSpec) -> LossFunction:
        from keras import ops

        counted = [float(c not in spec.ignore_classes) for c in range(spec.num_classes)]

        def poly(labels: Any, logits: Any) -> Any:
            # One-hot; all 0 for void pixels (255) and ignored classes, which so have no loss and no gradient.
            target = ops.one_hot(ops.cast(labels, "int32"), spec.num_classes, dtype="float32")
            target = target * ops.convert_to_tensor(counted, "float32")
            log_p = ops.sum(target * ops.log_softmax(ops.cast(logits, "float32")), axis=-1)
            errors = -log_p - self.epsilon * ops.expm1(log_p)
            return ops.sum(errors) / ops.maximum(ops.sum(target), 1.0)

        return poly
