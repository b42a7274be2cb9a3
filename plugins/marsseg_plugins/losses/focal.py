"""The focal cross-entropy loss."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from marsseg_core.plugin_api import LossFunction, LossSpec, param

from .weighted import WeightedLoss


@dataclass(frozen=True)
class Focal(WeightedLoss):
    """Focal cross-entropy: gives less weight to pixels that are nearly right.

    The loss is Σ w·(1 − p)^γ·(−log p) / Σ w over the labelled pixels of the batch, with p the softmax of the true class
    and w its class weight; 0 if there is no labelled pixel. γ = 0 is cross-entropy.

    Paper: Lin and others, arXiv 1708.02002. The best entries on the course data used γ from 0.5 to 2.
    """

    gamma: float = param(2.0, help="γ: larger values give less weight to easy pixels", minimum=0)

    def build(self, spec: LossSpec) -> LossFunction:
        from keras import ops

        from .cross_entropy import pixel_cross_entropy, pixel_weights, valid_pixels
        from .overlap import smooth_power

        weights = self.class_weights(spec)

        def focal(labels: Any, logits: Any) -> Any:
            valid = valid_pixels(labels, spec.ignore_classes)
            weight = pixel_weights(labels, valid, weights)
            entropy = pixel_cross_entropy(labels, logits, valid)
            difficulty = smooth_power(-ops.expm1(-entropy), self.gamma)
            scale = ops.sum(weight)
            return ops.sum(weight * difficulty * entropy) / ops.where(scale > 0, scale, 1.0)

        return focal
