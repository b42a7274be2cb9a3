"""The contract of a schedule, to inherit in a test:

    class TestMine(ScheduleContract):
        component = Mine(period=3)

A schedule that gives a Keras schedule is asked for the rates of all steps; one that gives a callback sees the epochs of
trainings that go well, stand still, get worse and fail.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, ClassVar, Final

import keras
import numpy as np
import pytest

from ..components import Schedule, ScheduleSpec
from ..errors import RequestError
from ..training.checkpoint import Progress, RestoreStates, callback_states
from .components import ComponentContract

# The losses of each epoch, by the share of the training that is done.
COURSES: Final[dict[str, Callable[[float], float]]] = {
    "falls": lambda done: float(np.exp(-3 * done)),
    "stands still": lambda done: 1.0,
    "rises": lambda done: float(np.exp(3 * done)),
    "is not a number": lambda done: float("nan"),
}


class ScheduleContract(ComponentContract):
    """What every schedule keeps to; a subclass sets `component`. `spec` is the training that it is built for."""

    component: ClassVar[Schedule]
    spec: ClassVar[ScheduleSpec] = ScheduleSpec(0.02, epochs=12, steps_per_epoch=5)

    def build(self, spec: ScheduleSpec | None = None) -> Any:
        return self.component.build(spec or self.spec)

    def build_rates(self, spec: ScheduleSpec | None = None) -> Any:
        """A Keras schedule; the check is skipped where it is a callback."""
        schedule = self.build(spec)
        if isinstance(schedule, keras.callbacks.Callback):
            pytest.skip("it is a callback")
        return schedule

    def build_callback(self) -> Any:
        """A callback; the check is skipped where it is a Keras schedule."""
        schedule = self.build()
        if not isinstance(schedule, keras.callbacks.Callback):
            pytest.skip("it is a Keras schedule")
        return schedule

    def test_it_gives_a_keras_schedule_or_a_callback_anew_each_time(self) -> None:
        first, second = self.build(), self.build()
        assert isinstance(first, keras.optimizers.schedules.LearningRateSchedule | keras.callbacks.Callback)
        assert first is not second

    @pytest.mark.parametrize("length", [None, (3, 1), (3, 1000), (1, 1)], ids=["", "3x1", "3x1000", "1x1"])
    def test_every_step_has_a_rate_above_zero(self, length: tuple[int, int] | None) -> None:
        """And those behind the training a number: Keras asks for one more."""
        spec = self.spec if length is None else ScheduleSpec(self.spec.learning_rate, *length)
        try:
            schedule = self.build_rates(spec)
        except (RequestError, ValueError) as refusal:
            if length is None:
                raise
            pytest.skip(f"it says: {refusal}")
        total = spec.epochs * spec.steps_per_epoch
        steps = range(total) if total < 100 else [*range(3), total // 3, total // 2, total - 1]
        rates = np.array([float(schedule(step)) for step in steps])
        assert np.isfinite(rates).all()
        assert (rates > 0).all(), "a step with a rate of 0 is lost"
        beyond = np.array([float(schedule(step)) for step in (total, 2 * total)])
        assert np.isfinite(beyond).all()
        assert (beyond >= 0).all()

    def test_an_optimiser_steps_along_it(self) -> None:
        """As in a run, where steps are compiled and the rate is read as a number between them."""
        schedule = self.build_rates()
        model = single_layer()
        model.compile(keras.optimizers.SGD(schedule), loss="mse", jit_compile=False)
        for step in range(3):
            assert float(model.optimizer.learning_rate) == pytest.approx(float(schedule(step)), rel=1e-5)
            model.train_on_batch(np.ones((1, 2), "float32"), np.zeros((1, 1), "float32"))

    def test_keras_writes_and_reads_it(self) -> None:
        """Whoever saves an optimiser saves its schedule with it."""
        schedule = self.build_rates()
        text = json.dumps(keras.saving.serialize_keras_object(schedule))
        again = keras.saving.deserialize_keras_object(json.loads(text))
        for step in range(0, self.spec.epochs * self.spec.steps_per_epoch, 3):
            assert float(again(step)) == pytest.approx(float(schedule(step)), rel=1e-6)

    @pytest.mark.parametrize("name", COURSES)
    def test_whatever_the_training_does_the_rate_stays_above_zero(self, name: str) -> None:
        trained = Epochs(self.build_callback(), self.spec)
        rates = [trained.finish(epoch, COURSES[name]) for epoch in range(self.spec.epochs)]
        assert np.isfinite(rates).all()
        assert (np.array(rates) > 0).all()

    def test_what_it_remembers_is_in_the_checkpoint(self) -> None:
        """After each epoch: one that goes on from there sets the same rates as one that was never interrupted."""
        for course in (COURSES["stands still"], COURSES["rises"]):
            whole = Epochs(self.build_callback(), self.spec)
            done = 2
            for epoch in range(done):
                whole.finish(epoch, course)
            resumed = Epochs(self.build_callback(), self.spec)
            resumed.take_over(whole)
            for epoch in range(done, self.spec.epochs):
                assert resumed.finish(epoch, course) == pytest.approx(whole.finish(epoch, course))


class Epochs:
    """A callback between the epochs of a training whose losses are given."""

    def __init__(self, callback: Any, spec: ScheduleSpec) -> None:
        self.model = single_layer()
        self.model.compile(keras.optimizers.SGD(spec.learning_rate), loss="mse")
        self._callback = callback
        self._epochs = spec.epochs
        callback.set_model(self.model)
        callback.set_params({"epochs": spec.epochs, "steps": spec.steps_per_epoch, "verbose": 0})
        callback.on_train_begin({})

    def finish(self, epoch: int, course: Callable[[float], float]) -> float:
        """The learning rate after an epoch."""
        self._callback.on_epoch_begin(epoch, {})
        loss = course(epoch / self._epochs)
        logs = {"loss": loss, "val_loss": loss, "val_miou": -loss, "miou": -loss, "val_accuracy": -loss}
        self._callback.on_epoch_end(epoch, logs)
        return float(self.model.optimizer.learning_rate)

    def take_over(self, other: Epochs) -> None:
        """Stand where another training stands, by what the checkpoint keeps of it: numbers, as JSON."""
        kept = json.loads(json.dumps(callback_states([other._callback]), allow_nan=False))
        RestoreStates([self._callback], Progress(0, [], None, None, kept)).on_train_begin()
        self.model.optimizer.learning_rate.assign(other.model.optimizer.learning_rate)


def single_layer() -> keras.Model:
    """The smallest of networks, from (B, 2) to (B, 1)."""
    numbers = keras.Input((2,))
    return keras.Model(numbers, keras.layers.Dense(1)(numbers))
