"""The contract of a schedule.

If the component builds a Keras schedule, its checks look at the learning rates of all steps. If it builds a callback,
they call it as trainings do whose losses fall, stay constant, rise or become NaN.
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

# The loss of an epoch in several trainings, as a function of the share of the training that is done.
COURSES: Final[dict[str, Callable[[float], float]]] = {
    "falling": lambda done: float(np.exp(-3 * done)),
    "constant": lambda done: 1.0,
    "rising": lambda done: float(np.exp(3 * done)),
    "NaN": lambda done: float("nan"),
}


class ScheduleContract(ComponentContract):
    """Check a schedule: learning rates above 0, saving and loading by Keras, and state in the checkpoint.

    Attributes:
        component: The schedule. A subclass must set it.
        spec: The training for which the schedule is built.

    Example:
        ```python
        class TestMySchedule(ScheduleContract):
            component = MySchedule(period=3)
        ```
    """

    component: ClassVar[Schedule]
    spec: ClassVar[ScheduleSpec] = ScheduleSpec(0.02, epochs=12, steps_per_epoch=5)

    def build(self, spec: ScheduleSpec | None = None) -> Any:
        return self.component.build(spec or self.spec)

    def build_rates(self, spec: ScheduleSpec | None = None) -> Any:
        """Return the Keras schedule; skip the check if it is a callback."""
        schedule = self.build(spec)
        if isinstance(schedule, keras.callbacks.Callback):
            pytest.skip("it is a callback")
        return schedule

    def build_callback(self) -> Any:
        """Return the callback; skip the check if it is a Keras schedule."""
        schedule = self.build()
        if not isinstance(schedule, keras.callbacks.Callback):
            pytest.skip("it is a Keras schedule")
        return schedule

    def test_it_builds_a_new_keras_schedule_or_callback_each_time(self) -> None:
        first, second = self.build(), self.build()
        kinds = keras.optimizers.schedules.LearningRateSchedule | keras.callbacks.Callback
        assert isinstance(first, kinds), f"`build` returns {first!r}, neither a Keras schedule nor a Keras callback"
        assert first is not second, "`build` returns the same object twice: runs in one process would share its state"

    @pytest.mark.parametrize("length", [None, (3, 1), (3, 1000), (1, 1)], ids=["", "3x1", "3x1000", "1x1"])
    def test_every_step_has_a_rate_above_zero(self, length: tuple[int, int] | None) -> None:
        """Check also that the rate after the last step is valid, because Keras computes it, too."""
        spec = self.spec if length is None else ScheduleSpec(self.spec.learning_rate, *length)
        try:
            schedule = self.build_rates(spec)
        except (RequestError, ValueError) as refusal:
            if length is None:
                raise
            pytest.skip(f"its parameters do not fit: {refusal}")
        total = spec.epochs * spec.steps_per_epoch
        steps = range(total) if total < 100 else [*range(3), total // 3, total // 2, total - 1]
        rates = np.array([float(schedule(step)) for step in steps])
        assert np.isfinite(rates).all(), f"a learning rate is not finite: {rates}"
        assert (rates > 0).all(), (
            f"the learning rate of step {steps[int(np.argmax(rates <= 0))]} is not above 0, so this step is lost: the "
            f"lowest rate is {rates.min():g}"
        )
        beyond = np.array([float(schedule(step)) for step in (total, 2 * total)])
        valid = np.isfinite(beyond) & (beyond >= 0)
        assert valid.all(), (
            f"the learning rates after the last step are {beyond}, but Keras needs valid ones there, too"
        )

    def test_an_optimizer_follows_it(self) -> None:
        """Check it as in a run, where steps are compiled and the learning rate is read between them."""
        schedule = self.build_rates()
        model = single_layer()
        model.compile(keras.optimizers.SGD(schedule), loss="mse", jit_compile=False)
        for step in range(3):
            rate = float(model.optimizer.learning_rate)
            assert_same(rate, float(schedule(step)), f"the learning rate of the optimizer at step {step}", rtol=1e-5)
            model.train_on_batch(np.ones((1, 2), "float32"), np.zeros((1, 1), "float32"))

    def test_keras_can_save_and_load_it(self) -> None:
        """Check it because Keras saves a schedule together with its optimizer."""
        schedule = self.build_rates()
        text = json.dumps(keras.saving.serialize_keras_object(schedule))
        again = keras.saving.deserialize_keras_object(json.loads(text))
        for step in range(0, self.spec.epochs * self.spec.steps_per_epoch, 3):
            what = f"the learning rate at step {step} of the saved and loaded schedule: return all of get_config"
            assert_same(float(again(step)), float(schedule(step)), what, rtol=1e-6)

    @pytest.mark.parametrize("name", COURSES)
    def test_the_rate_stays_above_zero_for_any_losses(self, name: str) -> None:
        trained = Epochs(self.build_callback(), self.spec)
        rates = np.array([trained.run(epoch, COURSES[name]) for epoch in range(self.spec.epochs)])
        assert np.isfinite(rates).all(), f"a learning rate is not finite: {rates}"
        assert (rates > 0).all(), (
            f"the learning rate of a step is {rates.min():g}, so this step is lost; the course of the loss: {name}"
        )

    def test_its_state_is_in_the_checkpoint(self) -> None:
        """Check that a training resumed from a checkpoint has the same learning rates as an uninterrupted one."""
        for course in (COURSES["constant"], COURSES["rising"]):
            whole = Epochs(self.build_callback(), self.spec)
            done = 2
            for epoch in range(done):
                whole.run(epoch, course)
            resumed = Epochs(self.build_callback(), self.spec, after=whole)
            for epoch in range(done, self.spec.epochs):
                rates, expected = resumed.run(epoch, course), whole.run(epoch, course)
                what = (
                    f"the learning rates in epoch {epoch + 1}, resumed from the checkpoint after two epochs: a "
                    "checkpoint has only the attributes of the callback that are numbers, and the variables of the "
                    "optimizer"
                )
                assert_same(rates, expected, what, rtol=1e-6)


class Epochs:
    """Call a callback as a training does, without computing losses.

    The training starts from the beginning, or, with `after`, from the checkpoint of another one: the numbers of its
    callback, as JSON, and the variables of its optimizer. As in a run, the variables are restored before the callback's
    `on_train_begin`, and the numbers after it.
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
            states = json.loads(json.dumps(callback_states([after._callback]), allow_nan=False))
            RestoreStates([callback], TrainingProgress(0, [], None, None, states)).on_train_begin()

    def run(self, epoch: int, course: Callable[[float], float]) -> list[float]:
        """Run an epoch; return the learning rates of its steps and the one after it.

        `course` gives the loss, as a function of the share of the training that is done.
        """
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
    """Return a model of one dense layer from (B, 2) to (B, 1)."""
    features = keras.Input((2,))
    return keras.Model(features, keras.layers.Dense(1)(features))
