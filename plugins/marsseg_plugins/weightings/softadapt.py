"""SoftAdapt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from marsseg_core.plugin_api import Weighting, WeightingSpec, param

if TYPE_CHECKING:
    from marsseg_core.plugin_api import WeightingLayer


@dataclass(frozen=True)
class SoftAdapt(Weighting):
    """SoftAdapt: a loss that falls less than the others, or rises, comes to count more.

    λ = softmax(β·s) with s = L(t) − L(t − 1), t counting epochs; all alike in the first two. Their sum is 1.
    `normalised` divides s by Σ|s|; `by_loss` multiplies λ by L(t) and scales the sum to 1 again.

    The paper has β = 0.1 and plain slopes; losses of terrain fall by hundredths an epoch, of which that makes nothing.

    Heydari, Thompson and Mehmood, arXiv 1912.12355.
    """

    beta: float = param(1.0, help="β: how strongly the slopes count")
    normalised: bool = param(True, help="slopes in shares of their sum, so that β has no unit")
    by_loss: bool = param(False, help="larger losses count more too")

    @property
    def needs_nonnegative(self) -> bool:
        return self.by_loss

    def build(self, spec: WeightingSpec) -> WeightingLayer:
        from .rules import Slopes

        return Slopes(spec, self.beta, self.normalised, self.by_loss)
