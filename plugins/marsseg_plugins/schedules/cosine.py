"""The cosine schedule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from marsseg_core.plugin_api import Schedule, ScheduleSpec, param

from .warmup import check_warmup

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class Cosine(Schedule):
    """Cosine: the learning rate falls with each step along half a cosine, until the end of the training.

    Paper: Loshchilov and Hutter, arXiv 1608.03983; here without restarts.
    """

    warmup: float = param(0.0, help="epochs at the start in which the rate rises to the learning rate", minimum=0)
    floor: float = param(0.0, help="final rate, as a share of the learning rate", minimum=0, maximum=1)

    def check(self, epochs: int) -> None:
        check_warmup(self.warmup, epochs)

    def build(self, spec: ScheduleSpec) -> keras.optimizers.schedules.LearningRateSchedule:
        import keras

        from .rates import WarmUp, warmup_steps

        climb = warmup_steps(spec, self.warmup)
        steps = spec.epochs * spec.steps_per_epoch - climb
        decay = keras.optimizers.schedules.CosineDecay(spec.learning_rate, steps, alpha=self.floor)
        return WarmUp(decay, spec.learning_rate, climb)
