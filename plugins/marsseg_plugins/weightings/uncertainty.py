"""The weighting by trained uncertainties."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from marsseg_core.plugin_api import Weighting, WeightingSpec, param

if TYPE_CHECKING:
    from marsseg_core.plugin_api import WeightingLayer


@dataclass(frozen=True)
class Uncertainty(Weighting):
    """Uncertainty: the objective is Σ w·(½·e^(−s)·L + ½·s), with one s trained for each loss.

    s is the logarithm of the variance of a loss. Its optimum is log L, for any weight w in the plan. It starts at 0 and
    has no weight decay. The learning rate of the optimizer is meant for the weights of a network, so s changes `speed`
    times as fast, with every optimizer. The gradient of s is limited to at least −1; in the paper it has no limit.

    Paper: Kendall, Gal and Cipolla, arXiv 1705.07115.
    """

    speed: float = param(
        10.0, help="how many times faster s changes than the weights of a network; 1: as published", above=0
    )

    @property
    def needs_nonnegative(self) -> bool:
        return True

    def build(self, spec: WeightingSpec) -> WeightingLayer:
        from .rules import Uncertainties

        return Uncertainties(spec, self.speed)
