"""Learning-rate schedules that Keras does not have, and the warm-up that schedules share."""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import ops

from marsseg_core.plugin_api import RequestError, ScheduleSpec


def warmup_steps(spec: ScheduleSpec, epochs: float) -> int:
    """Return the number of steps of a warm-up of `epochs`; raise RequestError where it fills the whole training."""
    steps = round(epochs * spec.steps_per_epoch)
    if steps >= spec.epochs * spec.steps_per_epoch:
        raise RequestError(
            f"A warm-up of {epochs:g} epochs is too long for {spec.epochs} epochs of training.",
            where="--schedule",
            hint="Train longer, or set a shorter warmup (in epochs; 0.5 is half an epoch).",
        )
    return steps


@keras.saving.register_keras_serializable(package="marsseg")
class WarmUp(keras.optimizers.schedules.LearningRateSchedule):
    """A straight rise to `rate` in `steps` steps, then another schedule from its beginning.

    The rate of the first step is rate / (steps + 1), as a step with a rate of 0 would have no effect.
    """

    def __init__(self, schedule: Any, rate: float, steps: int) -> None:
        super().__init__()
        self.schedule = schedule
        self.rate = rate
        self.steps = steps

    def __call__(self, step: Any) -> Any:
        step = ops.cast(step, "float32")
        climb = self.rate * (step + 1) / (self.steps + 1)
        return ops.where(step < self.steps, climb, self.schedule(ops.maximum(step - self.steps, 0.0)))

    def get_config(self) -> dict[str, Any]:
        schedule = keras.optimizers.schedules.serialize(self.schedule)
        return {"schedule": schedule, "rate": self.rate, "steps": self.steps}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> WarmUp:
        schedule = keras.optimizers.schedules.deserialize(config["schedule"])
        return cls(schedule, config["rate"], config["steps"])


class PlateauAfterWarmUp(keras.callbacks.ReduceLROnPlateau):
    """Raise the learning rate evenly to `rate` over `warmup` epochs; after that, reduce it on a plateau.

    A callback can change the rate only between epochs: on JAX, `fit` passes on its own copies of the variables during
    an epoch. Raises RequestError where the history has no column of the name `monitor`.
    """

    def __init__(self, warmup: int, rate: float, **options: Any) -> None:
        super().__init__(**options)
        self.warmup = warmup
        self.rate = rate

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        if self.warmup and epoch <= self.warmup:
            self.model.optimizer.learning_rate = self.rate * (epoch + 1) / (self.warmup + 1)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if self.monitor not in logs:
            columns = ", ".join(name for name in logs if "loss" in name or "iou" in name or "accuracy" in name)
            raise RequestError(
                f"The history has no column '{self.monitor}' to monitor.",
                where="--schedule plateau",
                hint=f"Available: {columns}.",
            )
        if epoch >= self.warmup:
            super().on_epoch_end(epoch, logs)


@keras.saving.register_keras_serializable(package="marsseg")
class OneCycleRate(keras.optimizers.schedules.LearningRateSchedule):
    """A rise from `start` to `peak` in `rise` steps, then a fall to `end` in `fall` steps, each along half a cosine."""

    def __init__(self, start: float, peak: float, end: float, rise: int, fall: int) -> None:
        super().__init__()
        self.start = start
        self.peak = peak
        self.end = end
        self.rise = rise
        self.fall = fall

    def __call__(self, step: Any) -> Any:
        step = ops.cast(step, "float32")
        rising = step < self.rise
        away = ops.where(rising, 1 - step / self.rise, ops.minimum((step - self.rise) / self.fall, 1.0))
        low = ops.where(rising, self.start, self.end)
        return low + (self.peak - low) * (1 + ops.cos(math.pi * away)) / 2

    def get_config(self) -> dict[str, Any]:
        return {"start": self.start, "peak": self.peak, "end": self.end, "rise": self.rise, "fall": self.fall}
