"""Run the contract of weightings on every weighting."""

from __future__ import annotations

from marsseg_core.testing import WeightingContract
from marsseg_plugins.weightings.dwa import DWA
from marsseg_plugins.weightings.fixed import Fixed
from marsseg_plugins.weightings.gradnorm import GradNorm
from marsseg_plugins.weightings.relobralo import ReLoBRaLo
from marsseg_plugins.weightings.scheduled import Scheduled
from marsseg_plugins.weightings.softadapt import SoftAdapt
from marsseg_plugins.weightings.uncertainty import Uncertainty


class TestFixed(WeightingContract):
    component = Fixed()
    moves = False


class TestScheduled(WeightingContract):
    component = Scheduled(start=(0.2, 0.8, 0.0), end=(0.4, 0.4, 0.2))


class TestUncertainty(WeightingContract):
    component = Uncertainty()
    constant_sum = False  # each loss has its own scale


class TestDWA(WeightingContract):
    component = DWA()


class TestSoftAdapt(WeightingContract):
    component = SoftAdapt()


class TestSoftAdaptByLoss(WeightingContract):
    component = SoftAdapt(normalised=True, by_loss=True)


class TestGradNorm(WeightingContract):
    component = GradNorm()


class TestReLoBRaLo(WeightingContract):
    component = ReLoBRaLo()


class TestReLoBRaLoByChance(WeightingContract):
    component = ReLoBRaLo(alpha=0.9, rho=0.5)
