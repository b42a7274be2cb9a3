"""The cosine schedule with restarts."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from marsseg_core.plugin_api import Schedule, ScheduleSpec, param

from .warmup import check_warmup

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class CosineRestarts(Schedule):
    """Cosine with restarts: the learning rate falls along half a cosine, jumps back up and falls again.

    Each period is `stretch` times as long as the one before, and begins with `peak` times its first rate.

    Paper: Loshchilov and Hutter, arXiv 1608.03983. The report names it as future work.
    """

    period: float | None = param(
        None,
        help="epochs of the first period, after the warm-up; none: so that three periods fill the training",
        above=0,
    )
    stretch: float = param(2.0, help="length of each period, relative to the one before", minimum=1)
    peak: float = param(1.0, help="first rate of each period, relative to the one before", above=0, maximum=1)
    warmup: float = param(0.0, help="epochs at the start in which the rate rises to the learning rate", minimum=0)
    floor: float = param(0.0, help="final rate of a period, as a share of the learning rate", minimum=0, maximum=1)

    def check(self, epochs: int) -> None:
        check_warmup(self.warmup, epochs)

    def build(self, spec: ScheduleSpec) -> keras.optimizers.schedules.LearningRateSchedule:
        import keras

        from .rates import WarmUp, warmup_steps

        climb = warmup_steps(spec, self.warmup)
        if self.period is None:
            # Rounded up: otherwise the last steps could begin a fourth period.
            first = math.ceil((spec.epochs * spec.steps_per_epoch - climb) / (1 + self.stretch + self.stretch**2))
        else:
            first = max(1, round(self.period * spec.steps_per_epoch))
        decay = keras.optimizers.schedules.CosineDecayRestarts(
            spec.learning_rate, first, t_mul=self.stretch, m_mul=self.peak, alpha=self.floor
        )
        return WarmUp(decay, spec.learning_rate, climb)
