"""Dynamic weight average."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from marsseg_core.plugin_api import Weighting, WeightingSpec, param

if TYPE_CHECKING:
    from marsseg_core.plugin_api import WeightingLayer


@dataclass(frozen=True)
class DWA(Weighting):
    """Dynamic weight average: a loss that falls slowly comes to count more.

    λᵢ = n·softmax(rᵢ / T) with rᵢ = Lᵢ(t − 1) / Lᵢ(t − 2), t counting epochs; 1 in the first two. Their sum is n.

    At T = 2, as published, losses that fall at about the same rate count alike but for a few percent; a lower T tells
    them apart.

    Liu, Johns and Davison, arXiv 1803.10704.
    """

    temperature: float = param(2.0, help="T: the higher, the more alike the weights", above=0)

    @property
    def needs_nonnegative(self) -> bool:
        return True

    def build(self, spec: WeightingSpec) -> WeightingLayer:
        from .rules import Rates

        return Rates(spec, self.temperature)
