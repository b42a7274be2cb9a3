"""The GradNorm weighting."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from marsseg_core.plugin_api import Weighting, WeightingSpec, param

if TYPE_CHECKING:
    from marsseg_core.plugin_api import WeightingLayer


@dataclass(frozen=True)
class GradNorm(Weighting):
    """GradNorm: changes the weights so that all losses train at similar rates.

    Each step reduces Σ |Gᵢ − Ḡ·rᵢ^α| by a gradient step on λ. Gᵢ is the norm of the gradient of λᵢ·Lᵢ, and Ḡ the mean
    of all Gᵢ. rᵢ is the ratio of Lᵢ to its value in the first step, divided by the mean of these ratios. The target
    Ḡ·rᵢ^α is a constant, so the gradient has a closed form. It is divided by Ḡ, so that the step has no unit. Then
    λ ≥ floor and Σλ = n (the number of losses) are restored.

    The gradients are with respect to the logits, the last tensor that all losses share. The paper uses the weights of
    the last shared layer. GradNorm works on Keras' TensorFlow and JAX backends.

    Paper: Chen, Badrinarayanan, Lee and Rabinovich, arXiv 1711.02257.
    """

    alpha: float = param(1.5, help="higher values give more weight to slow losses", minimum=0)
    rate: float = param(0.025, help="learning rate of the weights", above=0)
    floor: float = param(0.01, help="smallest weight, before the weights are scaled to their sum", above=0)

    @property
    def needs_nonnegative(self) -> bool:
        return True

    def build(self, spec: WeightingSpec) -> WeightingLayer:
        from .rules import GradientNorms

        return GradientNorms(spec, self.alpha, self.rate, self.floor)
