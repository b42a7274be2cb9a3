"""Learning rate lowered on a plateau."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from marsseg_core.components import Schedule, ScheduleSpec
from marsseg_core.parameters import param

from .warmup import check_warmup

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class Plateau(Schedule):
    """Plateau: the learning rate falls when the validation has not become better for a while.

    The report: `factor=0.1 patience=40 min_delta=1e-5`, watching the validation loss.
    """

    monitor: Literal["val_loss", "val_miou", "loss"] = param("val_loss", help="what is watched")
    factor: float = param(0.5, help="the learning rate is multiplied by it", above=0, maximum=0.99)
    patience: int = param(5, help="epochs without a better value before it falls", minimum=1)
    min_delta: float = param(1e-4, help="a smaller change is none", minimum=0)
    floor: float = param(1e-6, help="the learning rate does not fall below", minimum=0)
    warmup: int = param(0, help="epochs in which the rate climbs to the learning rate first, step by step", minimum=0)

    def check(self, epochs: int) -> None:
        check_warmup(self.warmup, epochs)

    def build(self, spec: ScheduleSpec) -> keras.callbacks.Callback:
        from .rates import PlateauAfterWarmUp, warmup_steps

        warmup_steps(spec, self.warmup)
        return PlateauAfterWarmUp(
            self.warmup,
            spec.learning_rate,
            monitor=self.monitor,
            mode="max" if self.monitor == "val_miou" else "min",
            factor=self.factor,
            patience=self.patience,
            min_delta=self.min_delta,
            min_lr=self.floor,
        )
