"""Run the contract of schedules on every schedule."""

from __future__ import annotations

from marsseg_core.testing import ScheduleContract
from marsseg_plugins.schedules.constant import Constant
from marsseg_plugins.schedules.cosine import Cosine
from marsseg_plugins.schedules.cosine_restarts import CosineRestarts
from marsseg_plugins.schedules.onecycle import OneCycle
from marsseg_plugins.schedules.plateau import Plateau


class TestConstant(ScheduleContract):
    component = Constant()


class TestConstantAfterAWarmUp(ScheduleContract):
    component = Constant(warmup=1.0)


class TestCosine(ScheduleContract):
    component = Cosine()


class TestCosineAfterAWarmUp(ScheduleContract):
    component = Cosine(warmup=2.0, floor=0.1)


class TestCosineRestarts(ScheduleContract):
    component = CosineRestarts()


class TestCosineRestartsAfterAWarmUp(ScheduleContract):
    component = CosineRestarts(period=2, stretch=1.0, peak=0.5, warmup=2.0, floor=0.01)


class TestOneCycle(ScheduleContract):
    component = OneCycle()


class TestOneCycleAtOnce(ScheduleContract):
    component = OneCycle(warmup=0.1)


class TestPlateau(ScheduleContract):
    component = Plateau(patience=2)


class TestPlateauOfTheReport(ScheduleContract):
    component = Plateau(factor=0.1, patience=3, min_delta=1e-5)


class TestPlateauAfterAWarmUp(ScheduleContract):
    component = Plateau(patience=2, warmup=3)


class TestPlateauOfTheScore(ScheduleContract):
    component = Plateau(monitor="val_miou", patience=1)
