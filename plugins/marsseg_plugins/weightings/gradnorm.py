"""GradNorm."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from marsseg_core.plugin_api import Weighting, WeightingSpec, param

if TYPE_CHECKING:
    from marsseg_core.plugin_api import WeightingLayer


@dataclass(frozen=True)
class GradNorm(Weighting):
    """GradNorm: weights move until all losses train at like rates.

    Each step lowers Σ |Gᵢ − Ḡ·rᵢ^α| over λ, with Gᵢ the norm of the gradient of λᵢ·Lᵢ, Ḡ their mean, and rᵢ how much
    is left of Lᵢ since the first step, over the mean of that. The target is held fast, so the gradient is closed; it is
    taken over Ḡ, which makes the step free of units. Then λ ≥ floor and Σλ = n are restored.

    The gradients are with respect to the logits, the last tensor that all losses share; the paper takes the last shared
    layer's weights. Works on Keras' TensorFlow and JAX backends.

    Chen, Badrinarayanan, Lee and Rabinovich, arXiv 1711.02257.
    """

    alpha: float = param(1.5, help="α: how strongly a slow loss is pulled along", minimum=0)
    rate: float = param(0.025, help="how far the weights move in a step", above=0)
    floor: float = param(0.01, help="smallest weight before they are scaled to their sum", above=0)

    @property
    def needs_nonnegative(self) -> bool:
        return True

    def build(self, spec: WeightingSpec) -> WeightingLayer:
        from .rules import GradientNorms

        return GradientNorms(spec, self.alpha, self.rate, self.floor)
