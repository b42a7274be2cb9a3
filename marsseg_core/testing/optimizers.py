"""The contract of an optimizer.

Its checks build the optimizer as a run does, and train one linear layer with it.
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
    """Check an optimizer: it passes on the arguments of the plan, lowers a loss, and can be resumed.

    Attributes:
        component: The optimizer. A subclass must set it.
        learning_rate: A learning rate that suits the optimizer.

    Example:
        ```python
        class TestMyOptimizer(OptimizerContract):
            component = MyOptimizer(momentum=0.9)
        ```
    """

    component: ClassVar[Optimizer]
    learning_rate: ClassVar[float] = 0.05

    def build(self, **arguments: Any) -> Any:
        return self.component.build(OptimizerSpec({"learning_rate": self.learning_rate, **arguments}))

    def test_it_builds_a_new_keras_optimizer_each_time(self) -> None:
        first, second = self.build(), self.build()
        assert isinstance(first, keras.optimizers.Optimizer), f"`build` returns {first!r}, not a Keras optimizer"
        assert first is not second, "`build` returns the same object twice: runs in one process would share its state"

    def test_its_learning_rate_is_that_of_the_plan(self) -> None:
        assert_same(float(self.build(learning_rate=0.125).learning_rate), 0.125, "the learning rate", rtol=1e-6)
        schedule = keras.optimizers.schedules.ExponentialDecay(0.25, decay_steps=1, decay_rate=0.5)
        optimizer = self.build(learning_rate=schedule)
        assert_same(
            float(optimizer.learning_rate), 0.25, "the learning rate at the first step of a schedule", rtol=1e-6
        )
        optimizer.iterations.assign_add(1)
        assert_same(
            float(optimizer.learning_rate), 0.125, "the learning rate at the second step of a schedule", rtol=1e-6
        )

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
    def test_it_passes_on_the_arguments_of_the_plan(self, name: str, value: float) -> None:
        assert getattr(self.build(**{name: value}), name) == value, f"it does not pass {name} on to Keras"

    def test_it_passes_on_the_averaging_of_weights(self) -> None:
        arguments: dict[str, Any] = {"use_ema": True, "ema_momentum": 0.5, "ema_overwrite_frequency": None}
        optimizer = self.build(**arguments)
        values = {name: getattr(optimizer, name) for name in arguments}
        assert values == arguments, f"it does not pass {', '.join(arguments)} on to Keras"

    def test_a_training_lowers_the_loss(self) -> None:
        losses = trained(self.build(), STEPS)[1]
        assert np.isfinite(losses).all(), f"a loss is not finite: {losses}"
        assert losses[-1] < losses[0], (
            f"the loss of a linear layer changes from {losses[0]:g} to {losses[-1]:g}: it must fall"
        )

    def test_it_resumes_from_its_variables(self) -> None:
        """Check that its variables are its whole state, because a checkpoint has nothing else of it."""
        whole, _ = trained(self.build(), 6)
        first, _ = trained(self.build(), 3)
        resumed, _ = trained(self.build(), 3, after=first)
        what = "the weights after 3 steps and 3 resumed steps, compared with 6 steps: keep all state in variables"
        for variable, expected in zip(resumed.trainable_variables, whole.trainable_variables, strict=True):
            assert_same(np.asarray(variable), np.asarray(expected), what, rtol=1e-5, atol=1e-6)


def trained(optimizer: Any, steps: int, after: keras.Model | None = None) -> tuple[keras.Model, np.ndarray]:
    """Train a linear layer for some steps; return the model and the loss of each step.

    It starts with weights of zero, or, with `after`, with the variables of another model and its optimizer.
    """
    features = keras.Input((4,))
    model = keras.Model(features, keras.layers.Dense(2, kernel_initializer="zeros")(features))
    model.compile(optimizer, loss="mse", jit_compile=False)
    optimizer.build(model.trainable_variables)
    if after is not None:
        others = [*after.variables, *after.optimizer.variables]
        for variable, other in zip([*model.variables, *optimizer.variables], others, strict=True):
            variable.assign(other)
    random = np.random.default_rng(0)
    inputs = random.normal(size=(16, 4)).astype("float32")
    targets = inputs @ random.normal(size=(4, 2)).astype("float32")
    losses = [float(model.train_on_batch(inputs, targets)) for _ in range(steps)]
    return model, np.array(losses)
