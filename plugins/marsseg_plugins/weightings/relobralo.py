"""The ReLoBRaLo weighting (relative loss balancing with random lookback)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from marsseg_core.plugin_api import Weighting, WeightingSpec, param

if TYPE_CHECKING:
    from marsseg_core.plugin_api import WeightingLayer


@dataclass(frozen=True)
class ReLoBRaLo(Weighting):
    """Relative loss balancing with random lookback: gives more weight to losses that have fallen less than the others.

    With λ̂(t, t') = n·softmax(L(t) / (T·L(t'))) and n losses, the weights of step t are
    λ(t) = α·[ρ·λ(t − 1) + (1 − ρ)·λ̂(t, 0)] + (1 − α)·λ̂(t, t − 1), where ρ is 1 with probability `rho`, else 0. Their
    sum is n. The paper has α = 0.999 and ρ of about 1, for tens of thousands of steps. A run here has hundreds of
    steps, in which these values would hardly change the weights.

    Paper: Bischof and Kraus, arXiv 2110.09813.
    """

    alpha: float = param(0.99, help="decay factor of the moving mean of the weights, per step", minimum=0, maximum=1)
    rho: float = param(
        0.99, help="probability that a step uses the last weights, and not the first losses", minimum=0, maximum=1
    )
    temperature: float = param(1.0, help="T: higher values make the weights more equal", above=0)

    @property
    def needs_nonnegative(self) -> bool:
        return True

    def build(self, spec: WeightingSpec) -> WeightingLayer:
        from .rules import RelativeLosses

        return RelativeLosses(spec, self.alpha, self.rho, self.temperature)
