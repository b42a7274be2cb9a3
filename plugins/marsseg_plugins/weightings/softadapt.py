"""The SoftAdapt weighting."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from marsseg_core.plugin_api import Weighting, WeightingSpec, param

if TYPE_CHECKING:
    from marsseg_core.plugin_api import WeightingLayer


@dataclass(frozen=True)
class SoftAdapt(Weighting):
    """SoftAdapt: gives more weight to losses that fall less than the others, or rise.

    λ = softmax(β·s), with s = L(t) − L(t − 1) and t the epoch. The weights are equal in the first two epochs. Their
    sum is 1. `normalised` divides s by Σ|s|. `by_loss` multiplies λ by L(t), and scales the sum to 1 again.

    The paper has β = 0.1 and plain slopes. Losses of terrain fall by hundredths per epoch, so these values would hardly
    change the weights.

    Paper: Heydari, Thompson and Mehmood, arXiv 1912.12355.
    """

    beta: float = param(1.0, help="higher values give more weight to losses that fall less")
    normalised: bool = param(True, help="divide the slopes by the sum of their sizes, so that β has no unit")
    by_loss: bool = param(False, help="also give more weight to larger losses")

    @property
    def needs_nonnegative(self) -> bool:
        return self.by_loss

    def build(self, spec: WeightingSpec) -> WeightingLayer:
        from .rules import Slopes

        return Slopes(spec, self.beta, self.normalised, self.by_loss)
