"""The weighting with fixed weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from marsseg_core.plugin_api import Weighting, WeightingSpec

if TYPE_CHECKING:
    from marsseg_core.plugin_api import WeightingLayer


@dataclass(frozen=True)
class Fixed(Weighting):
    """Fixed weights: the objective is Σ w·L, with the weight w of each loss L in the plan.

    For example, `--loss wssce,dice:weight=0.5` minimises wssce + 0.5 · dice.
    """

    moves: ClassVar[bool] = False

    def build(self, spec: WeightingSpec) -> WeightingLayer:
        from marsseg_core.plugin_api import WeightingLayer

        return WeightingLayer(spec)
