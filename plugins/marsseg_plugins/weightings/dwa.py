"""The dynamic weight average weighting."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from marsseg_core.plugin_api import Weighting, WeightingSpec, param

if TYPE_CHECKING:
    from marsseg_core.plugin_api import WeightingLayer


@dataclass(frozen=True)
class DWA(Weighting):
    """Dynamic weight average: gives more weight to losses that fall slowly.

    λᵢ = n·softmax(rᵢ / T), with n losses, rᵢ = Lᵢ(t − 1) / Lᵢ(t − 2) and t the epoch. λᵢ is 1 in the first two epochs.
    The sum of all λᵢ is n.

    With the published T = 2, the weights of losses that fall at about the same rate differ by only a few percent. A
    lower T makes the differences larger.

    Paper: Liu, Johns and Davison, arXiv 1803.10704.
    """

    temperature: float = param(2.0, help="T: higher values make the weights more equal", above=0)

    @property
    def needs_nonnegative(self) -> bool:
        return True

    def build(self, spec: WeightingSpec) -> WeightingLayer:
        from .rules import Rates

        return Rates(spec, self.temperature)
