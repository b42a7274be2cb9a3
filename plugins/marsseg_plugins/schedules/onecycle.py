"""The one-cycle schedule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from marsseg_core.plugin_api import Schedule, ScheduleSpec, param

from .warmup import check_warmup

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class OneCycle(Schedule):
    """One cycle: the learning rate rises to the value in the plan, then falls to far below its first value.

    Rise and fall are each half a cosine, change with each step, and together fill the training. The momentum does not
    change.

    Paper: Smith and Topin, arXiv 1708.07120; here with cosines instead of its straight lines, as is usual.
    """

    warmup: float | None = param(None, help="epochs of the rise; none: 0.3 of the training", above=0)
    start: float = param(0.04, help="first rate, as a share of the learning rate", above=0, maximum=1)
    floor: float = param(4e-6, help="final rate, as a share of the learning rate", minimum=0, maximum=1)

    def check(self, epochs: int) -> None:
        check_warmup(self.warmup or 0.0, epochs)

    def build(self, spec: ScheduleSpec) -> keras.optimizers.schedules.LearningRateSchedule:
        from .rates import OneCycleRate, warmup_steps

        rise = max(1, warmup_steps(spec, 0.3 * spec.epochs if self.warmup is None else self.warmup))
        peak = spec.learning_rate
        fall = max(1, spec.epochs * spec.steps_per_epoch - rise)
        return OneCycleRate(self.start * peak, peak, self.floor * peak, rise, fall)
