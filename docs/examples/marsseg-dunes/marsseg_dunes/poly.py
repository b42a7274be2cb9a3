"""The first of the polynomial losses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from marsseg_core.plugin_api import Loss, LossFunction, LossSpec, param


@dataclass(frozen=True)
class Poly(Loss):
    """Poly-1: cross-entropy whose pull on nearly right pixels is stronger.

    The mean of −log p + ε·(1 − p) over the labelled pixels of the batch, p the softmax of the true class; 0 if there
    are none. ε = 0 is cross-entropy.

    Leng and others, arXiv 2204.12511.
    """

    epsilon: float = param(1.0, help="ε: what the linear term counts", minimum=0)

    def build(self, spec: LossSpec) -> LossFunction:
        from keras import ops

        counted = [float(c not in spec.ignore_classes) for c in range(spec.num_classes)]

        def poly(labels: Any, logits: Any) -> Any:
            # All 0 where a pixel is void (255) or of an ignored class: it then counts nothing, and has no gradient.
            right = ops.one_hot(ops.cast(labels, "int32"), spec.num_classes, dtype="float32")
            right = right * ops.convert_to_tensor(counted, "float32")
            log_p = ops.sum(right * ops.log_softmax(ops.cast(logits, "float32")), axis=-1)
            errors = -log_p - self.epsilon * ops.expm1(log_p)
            return ops.sum(errors) / ops.maximum(ops.sum(right), 1.0)

        return poly
