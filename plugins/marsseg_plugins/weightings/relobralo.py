"""Relative loss balancing with random lookback."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from marsseg_core.plugin_api import Weighting, WeightingSpec, param

if TYPE_CHECKING:
    from marsseg_core.plugin_api import WeightingLayer


@dataclass(frozen=True)
class ReLoBRaLo(Weighting):
    """Relative loss balancing with random lookback: a loss that has fallen less than the others counts more.

    With λ̂(t, t') = n·softmax(L(t) / (T·L(t'))), each step t takes
    λ(t) = α·[ρ·λ(t − 1) + (1 − ρ)·λ̂(t, 0)] + (1 − α)·λ̂(t, t − 1), where ρ is 1 with probability `rho`, else 0. Their
    sum is n. The paper has α = 0.999 and ρ = 1 or nearly so, for tens of thousands of steps; a training here has
    hundreds, in which that makes nothing.

    Bischof and Kraus, arXiv 2110.09813.
    """

    alpha: float = param(0.99, help="α: what is kept of the weights in each step", minimum=0, maximum=1)
    rho: float = param(0.99, help="how often the last weights are kept, and not looked back", minimum=0, maximum=1)
    temperature: float = param(1.0, help="T: the higher, the more alike the weights", above=0)

    @property
    def needs_nonnegative(self) -> bool:
        return True

    def build(self, spec: WeightingSpec) -> WeightingLayer:
        from .rules import RelativeLosses

        return RelativeLosses(spec, self.alpha, self.rho, self.temperature)
