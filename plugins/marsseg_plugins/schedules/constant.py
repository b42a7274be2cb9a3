"""The constant schedule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from marsseg_core.plugin_api import Schedule, ScheduleSpec, param

from .warmup import check_warmup

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class Constant(Schedule):
    """Constant: the learning rate stays the same, after an optional warm-up."""

    warmup: float = param(0.0, help="epochs at the start in which the rate rises to the learning rate", minimum=0)

    def check(self, epochs: int) -> None:
        check_warmup(self.warmup, epochs)

    def build(self, spec: ScheduleSpec) -> keras.optimizers.schedules.LearningRateSchedule:
        import keras

        from .rates import WarmUp, warmup_steps

        rate = spec.learning_rate
        steady = keras.optimizers.schedules.PolynomialDecay(rate, decay_steps=1, end_learning_rate=rate)
        return WarmUp(steady, rate, warmup_steps(spec, self.warmup))
