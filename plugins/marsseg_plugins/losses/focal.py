"""Focal cross-entropy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from marsseg_core.plugin_api import LossFunction, LossSpec, param

from .weighted import WeightedLoss


@dataclass(frozen=True)
class Focal(WeightedLoss):
    """Focal cross-entropy: pixels that are nearly right count less.

    Σ w·(1 − p)^γ·(−log p) / Σ w over the labelled pixels of the batch, with p the softmax of the true class and w its
    class weight; 0 if there are none. γ = 0 is cross-entropy.

    Lin and others, arXiv 1708.02002. The best entries on the course data took γ from 0.5 to 2.
    """

    gamma: float = param(2.0, help="γ: the larger, the less the easy pixels count", minimum=0)

    def build(self, spec: LossSpec) -> LossFunction:
        from keras import ops

        from .cross_entropy import pixel_cross_entropy, valid_pixels
        from .overlap import smooth_power

        weights = self.class_weights(spec)

        def focal(labels: Any, logits: Any) -> Any:
            valid = valid_pixels(labels, spec.ignore_classes)
            known = ops.where(valid, ops.cast(labels, "int32"), 0)
            weight = ops.where(valid, ops.take(ops.convert_to_tensor(weights), known), 0.0)
            entropy = pixel_cross_entropy(labels, logits, valid)
            difficulty = smooth_power(-ops.expm1(-entropy), self.gamma)
            scale = ops.sum(weight)
            return ops.sum(weight * difficulty * entropy) / ops.where(scale > 0, scale, 1.0)

        return focal
