"""The contract of a schedule, to inherit in a test:

    class TestMine(ScheduleContract):
        component = Mine(period=3)

A schedule that gives a Keras schedule is asked for the rates of all steps; one that gives a callback sees the steps and
epochs of trainings that go well, stand still, get worse and fail.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, ClassVar, Final

import keras
import numpy as np
import pytest

from ..components.interfaces import Schedule
from ..components.specs import ScheduleSpec
from ..errors import RequestError
from ..planning.metrics import PREFIX, metric_table
from ..training.checkpoint import RestoreStates, TrainingProgress, callback_states
from .components import ComponentContract, assert_same

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
        kinds = keras.optimizers.schedules.LearningRateSchedule | keras.callbacks.Callback
        assert isinstance(first, kinds), f"it builds {first!r}, neither a Keras schedule nor a callback"
        assert first is not second, "it builds the same object twice: runs in one process would share its state"

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
        assert np.isfinite(rates).all(), f"rates that are no finite numbers: {rates}"
        assert (rates > 0).all(), f"step {steps[int(np.argmax(rates <= 0))]} has a rate of {rates.min():g}: it is lost"
        beyond = np.array([float(schedule(step)) for step in (total, 2 * total)])
        usable = np.isfinite(beyond) & (beyond >= 0)
        assert usable.all(), f"rates of {beyond} behind the last step: Keras asks for one there, too"

    def test_an_optimiser_steps_along_it(self) -> None:
        """As in a run, where steps are compiled and the rate is read as a number between them."""
        schedule = self.build_rates()
        model = single_layer()
        model.compile(keras.optimizers.SGD(schedule), loss="mse", jit_compile=False)
        for step in range(3):
            rate = float(model.optimizer.learning_rate)
            assert_same(rate, float(schedule(step)), f"the optimiser's rate at step {step}", rtol=1e-5)
            model.train_on_batch(np.ones((1, 2), "float32"), np.zeros((1, 1), "float32"))

    def test_keras_writes_and_reads_it(self) -> None:
        """Whoever saves an optimiser saves its schedule with it."""
        schedule = self.build_rates()
        text = json.dumps(keras.saving.serialize_keras_object(schedule))
        again = keras.saving.deserialize_keras_object(json.loads(text))
        for step in range(0, self.spec.epochs * self.spec.steps_per_epoch, 3):
            what = f"the rate at step {step} of what Keras has written and read: get_config gives all parameters"
            assert_same(float(again(step)), float(schedule(step)), what, rtol=1e-6)

    @pytest.mark.parametrize("name", COURSES)
    def test_whatever_the_training_does_the_rate_stays_above_zero(self, name: str) -> None:
        trained = Epochs(self.build_callback(), self.spec)
        rates = np.array([trained.run(epoch, COURSES[name]) for epoch in range(self.spec.epochs)])
        assert np.isfinite(rates).all(), f"rates that are no finite numbers: {rates}"
        assert (rates > 0).all(), f"a step with a rate of {rates.min():g} is lost; its losses: {name}"

    def test_what_it_remembers_is_in_the_checkpoint(self) -> None:
        """After each epoch: one that goes on from there sets the same rates as one that was never interrupted."""
        for course in (COURSES["stands still"], COURSES["rises"]):
            whole = Epochs(self.build_callback(), self.spec)
            done = 2
            for epoch in range(done):
                whole.run(epoch, course)
            resumed = Epochs(self.build_callback(), self.spec, after=whole)
            for epoch in range(done, self.spec.epochs):
                found, expected = resumed.run(epoch, course), whole.run(epoch, course)
                what = (
                    f"other rates in epoch {epoch + 1}, resumed from the checkpoint after two: it keeps numbers that "
                    "are attributes of the callback, the optimiser's variables, and nothing else"
                )
                assert_same(found, expected, what, rtol=1e-6)


class Epochs:
    """A callback in the steps and epochs of a training whose losses are given.

    It begins anew, or with what the checkpoint keeps of where another stands: numbers, as JSON, and the optimiser's
    variables. As in a run, the variables are there before the callback begins, its numbers once it has.
    """

    def __init__(self, callback: Any, spec: ScheduleSpec, after: Epochs | None = None) -> None:
        self.model = single_layer()
        self.model.compile(keras.optimizers.SGD(spec.learning_rate), loss="mse")
        self._callback = callback
        self._spec = spec
        if after is not None:
            optimizers = (each.model.optimizer.variables for each in (self, after))
            for variable, other in zip(*optimizers, strict=True):
                variable.assign(other)
        callback.set_model(self.model)
        callback.set_params({"epochs": spec.epochs, "steps": spec.steps_per_epoch, "verbose": 0})
        callback.on_train_begin({})
        if after is not None:
            kept = json.loads(json.dumps(callback_states([after._callback]), allow_nan=False))
            RestoreStates([callback], TrainingProgress(0, [], None, None, kept)).on_train_begin()

    def run(self, epoch: int, course: Callable[[float], float]) -> list[float]:
        """The learning rates of the steps of an epoch, and the one after it."""
        optimizer, loss = self.model.optimizer, course(epoch / self._spec.epochs)
        rates = []
        self._callback.on_epoch_begin(epoch, {})
        for step in range(self._spec.steps_per_epoch):
            self._callback.on_train_batch_begin(step, {})
            rates.append(float(optimizer.learning_rate))
            optimizer.iterations.assign_add(1)
            self._callback.on_train_batch_end(step, {"loss": loss})
        logs = {"loss": loss, "val_loss": loss}
        for name in (table := metric_table()).resolved:
            score = -loss if table.rises(name) else loss
            logs |= {name: score, f"{PREFIX}{name}": score}
        self._callback.on_epoch_end(epoch, logs)
        return [*rates, float(optimizer.learning_rate)]


def single_layer() -> keras.Model:
    """The smallest of networks, from (B, 2) to (B, 1)."""
    numbers = keras.Input((2,))
    return keras.Model(numbers, keras.layers.Dense(1)(numbers))
