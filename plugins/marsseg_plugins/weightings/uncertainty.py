"""Losses joined by trained uncertainties."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from marsseg_core.plugin_api import Weighting, WeightingSpec, param

if TYPE_CHECKING:
    from marsseg_core.plugin_api import WeightingLayer


@dataclass(frozen=True)
class Uncertainty(Weighting):
    """Uncertainty: the objective is Σ w·(½·e^(−s)·L + ½·s), with one s trained for each loss.

    s stands for the logarithm of a loss's variance; its optimum is log L, whatever the plan's weight w. It starts at 0
    and no weight decay pulls at it. The optimiser moves it by its own rate, made for a network's weights: s goes
    `speed` times as far, under every optimiser. Its gradient is held to at least −1, where the paper's has no bound.

    Kendall, Gal and Cipolla, arXiv 1705.07115.
    """

    speed: float = param(10.0, help="how many times as fast as a network's weight s moves; 1 is as published", above=0)

    @property
    def needs_nonnegative(self) -> bool:
        return True

    def build(self, spec: WeightingSpec) -> WeightingLayer:
        from .rules import Uncertainties

        return Uncertainties(spec, self.speed)
