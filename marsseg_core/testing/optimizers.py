"""The contract of an optimizer, to inherit in a test:

    class TestMine(OptimizerContract):
        component = Mine(momentum=0.9)

It is built as a run builds it, and trains one linear layer.
"""

from __future__ import annotations

from typing import Any, ClassVar

import keras
import numpy as np
import pytest

from ..components.interfaces import Optimizer
from ..components.specs import OptimizerSpec
from .components import ComponentContract, assert_same

STEPS = 60


class OptimizerContract(ComponentContract):
    """What every optimizer keeps to; a subclass sets `component`, and `learning_rate` where 0.05 does not suit it."""

    component: ClassVar[Optimizer]
    learning_rate: ClassVar[float] = 0.05

    def build(self, **arguments: Any) -> Any:
        return self.component.build(OptimizerSpec({"learning_rate": self.learning_rate, **arguments}))

    def test_it_gives_a_keras_optimizer_anew_each_time(self) -> None:
        first, second = self.build(), self.build()
        assert isinstance(first, keras.optimizers.Optimizer), f"it builds {first!r}, which is no Keras optimizer"
        assert first is not second, "it builds the same object twice: runs in one process would share its state"

    def test_its_rate_is_the_one_of_the_plan(self) -> None:
        assert_same(float(self.build(learning_rate=0.125).learning_rate), 0.125, "its learning rate", rtol=1e-6)
        schedule = keras.optimizers.schedules.ExponentialDecay(0.25, decay_steps=1, decay_rate=0.5)
        optimizer = self.build(learning_rate=schedule)
        assert_same(float(optimizer.learning_rate), 0.25, "its rate at the start of a schedule", rtol=1e-6)
        optimizer.iterations.assign_add(1)
        assert_same(float(optimizer.learning_rate), 0.125, "its rate after a step of a schedule", rtol=1e-6)

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("weight_decay", 0.25),
            ("clipnorm", 0.5),
            ("clipvalue", 0.5),
            ("global_clipnorm", 0.5),
            ("gradient_accumulation_steps", 2),
        ],
    )
    def test_it_keeps_to_what_the_plan_asks_of_every_optimizer(self, name: str, value: float) -> None:
        assert getattr(self.build(**{name: value}), name) == value, f"it does not pass {name} on to Keras"

    def test_it_averages_weights_where_the_plan_asks_for_it(self) -> None:
        arguments: dict[str, Any] = {"use_ema": True, "ema_momentum": 0.5, "ema_overwrite_frequency": None}
        optimizer = self.build(**arguments)
        found = {name: getattr(optimizer, name) for name in arguments}
        assert found == arguments, "it does not pass the moving average of weights on to Keras"

    def test_a_training_lowers_the_loss(self) -> None:
        losses = trained(self.build(), STEPS)[1]
        assert np.isfinite(losses).all(), f"a loss that is no finite number: {losses}"
        assert losses[-1] < losses[0], f"the loss of a linear fit goes from {losses[0]:g} to {losses[-1]:g}"

    def test_it_goes_on_from_its_variables(self) -> None:
        """A checkpoint holds the variables of the optimizer, and nothing else of it."""
        whole, _ = trained(self.build(), 6)
        first, _ = trained(self.build(), 3)
        resumed, _ = trained(self.build(), 3, after=first)
        what = "weights after 3 + 3 steps, and after 6: what it remembers is not all in its variables"
        for found, expected in zip(resumed.trainable_variables, whole.trainable_variables, strict=True):
            assert_same(np.asarray(found), np.asarray(expected), what, rtol=1e-5, atol=1e-6)


def trained(optimizer: Any, steps: int, after: keras.Model | None = None) -> tuple[keras.Model, np.ndarray]:
    """A linear layer after so many steps from zero, or from where another model and its optimizer stand; its losses."""
    numbers = keras.Input((4,))
    model = keras.Model(numbers, keras.layers.Dense(2, kernel_initializer="zeros")(numbers))
    model.compile(optimizer, loss="mse", jit_compile=False)
    optimizer.build(model.trainable_variables)
    if after is not None:
        theirs = [*after.variables, *after.optimizer.variables]
        for variable, other in zip([*model.variables, *optimizer.variables], theirs, strict=True):
            variable.assign(other)
    random = np.random.default_rng(0)
    inputs = random.normal(size=(16, 4)).astype("float32")
    targets = inputs @ random.normal(size=(4, 2)).astype("float32")
    losses = [float(model.train_on_batch(inputs, targets)) for _ in range(steps)]
    return model, np.array(losses)
