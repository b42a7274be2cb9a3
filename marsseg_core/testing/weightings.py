"""The contract of a weighting.

Its checks call the layer in the order of a run, with the losses of several trainings: falling, constant, zero at the
start, growing without bound and so on.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar, Final

import keras
import numpy as np
import pytest
from keras import ops

from ..components.interfaces import Weighting
from ..components.specs import WeightingSpec
from ..components.weighting_layer import WeightingLayer
from ..networks.keras_backend.devices import choose_compiler
from ..networks.keras_backend.functions import value_and_gradient
from ..networks.keras_backend.settings import precision
from ..registry.parameters import settings, to_toml
from ..training.task import SegmentationTask
from .components import ComponentContract, assert_same
from .other_backend import other_backend, run_on_backend

EPOCHS, STEPS = 5, 3

# The courses of n losses in several trainings: factors (n,) as a function of the share of the training that is done,
# from 0 at the first step to 1 at the last one.
COURSES: Final[dict[str, Callable[[float, int], np.ndarray]]] = {
    "falling": lambda done, n: np.exp(-done * np.arange(1, n + 1)),
    "constant": lambda done, n: np.ones(n),
    "rising": lambda done, n: np.exp(3 * done * np.arange(n)),
    "one is 0": lambda done, n: np.where(np.arange(n) == n - 1, 0.0, np.exp(-done)),
    "all are 0": lambda done, n: np.zeros(n),
    "0 at first": lambda done, n: np.full(n, float(done > 0.3)),
    "0 in between": lambda done, n: np.full(n, float(not 0.3 < done < 0.6)),
    "falling to nearly 0": lambda done, n: np.full(n, 1e-12**done),
    "growing without bound": lambda done, n: np.full(n, 1e12**done),
    # In the other courses the ratios of successive losses are constant, so a rule that lost its state could be right by
    # chance.
    "up and down": lambda done, n: np.random.default_rng(round(1e4 * done)).uniform(0.2, 3, n),
}


ON_THE_OTHER_BACKEND = """
import importlib, json, sys
import numpy as np
from marsseg_core.networks.keras_backend.settings import fixed_settings
from marsseg_core.components.specs import WeightingSpec
from marsseg_core.registry.parameters import configure
from marsseg_core.testing.weightings import WeightingContract, train
module, name, values, losses, weights, outputs = sys.argv[1:]
component = configure(getattr(importlib.import_module(module), name), json.loads(values))
spec = WeightingSpec(tuple(json.loads(losses)), tuple(json.loads(weights)))
case = type("Case", (WeightingContract,), {"component": component, "spec": spec})()
with fixed_settings():
    case.test_it_trains_in_a_compiled_step()
    np.save(outputs, [factors for factors, _ in train(case.build(), case.course())])
"""


class WeightingContract(ComponentContract):
    """Check a weighting: finite weights, correct gradients, the weights of the plan, and state in variables.

    Attributes:
        component: The weighting. A subclass must set it.
        spec: The losses for which it is built. Parameters with one value for each loss must fit it.
        constant_sum: Whether the weights of the rule always have the same sum.
        moves: Whether the weights of the rule change during a training.

    Example:
        ```python
        class TestMyWeighting(WeightingContract):
            component = MyWeighting()
        ```
    """

    component: ClassVar[Weighting]
    spec: ClassVar[WeightingSpec] = WeightingSpec(("a", "b", "c"), (1.0, 0.5, 2.0))
    constant_sum: ClassVar[bool] = True
    moves: ClassVar[bool] = True

    def make(self, spec: WeightingSpec | None = None, seed: int = 1) -> WeightingLayer:
        """Return the layer without its variables."""
        keras.utils.set_random_seed(seed)
        return self.component.build(spec or self.spec)

    def build(self, spec: WeightingSpec | None = None, seed: int = 1) -> WeightingLayer:
        layer = self.make(spec, seed)
        layer.build((layer.count,))
        return layer

    def losses(self, seed: int = 0) -> np.ndarray:
        """Return random losses from 0.1 to 3, (n,) float32."""
        return np.random.default_rng(seed).uniform(0.1, 3, len(self.spec.losses)).astype(np.float32)

    def course(self, name: str = "falling") -> np.ndarray:
        """Return the losses of a training, (epochs, steps, n) float32."""
        start = self.losses()
        values = [start * COURSES[name](done, len(start)) for done in np.linspace(0, 1, EPOCHS * STEPS)]
        return np.reshape(np.array(values, np.float32), (EPOCHS, STEPS, len(start)))

    def test_its_objective_is_a_scalar_in_float32(self) -> None:
        for policy in ("float32", "mixed_float16"):
            with precision(policy):
                value = self.build()(ops.convert_to_tensor(self.losses()))
            dtype = keras.backend.standardize_dtype(value.dtype)
            assert tuple(value.shape) == (), f"the objective has the shape {tuple(value.shape)}, not that of a scalar"
            assert dtype == "float32", (
                f"the objective is {dtype}, not float32, if the network has the dtype policy {policy}"
            )

    @pytest.mark.parametrize("name", COURSES)
    def test_objective_and_weights_stay_finite_for_any_losses(self, name: str) -> None:
        layer = self.build()
        for factors, objective in train(layer, self.course(name)):
            assert factors.shape == (layer.count,), (
                f"the weights of {layer.count} losses have the shape {factors.shape}"
            )
            assert np.isfinite(factors).all(), f"a weight is not finite: {factors}"
            assert (factors >= 0).all(), f"a weight is below 0: {factors}"
            assert np.isfinite(objective), f"the objective is {objective}"

    def test_negative_losses_work_unless_needs_nonnegative_is_true(self) -> None:
        if self.component.needs_nonnegative:
            pytest.skip("no loss may be negative: needs_nonnegative is True")
        course = self.course() - np.float32(1)
        for factors, objective in train(self.build(), course):
            assert np.isfinite([*factors, objective]).all(), (
                f"for negative losses, the weights are {factors} and the objective is {objective}: make them finite, "
                "or let needs_nonnegative return True"
            )

    def test_the_gradient_of_each_loss_is_its_weight(self) -> None:
        """Check that no gradient flows through the weights: the gradient of the objective is equal to `factors()`."""
        layer = self.build()
        for factors, _ in train(layer, self.course()):
            gradient = value_and_gradient(layer, ops.convert_to_tensor(self.losses()))[1]
            what = "the gradient of the objective for each loss must be its weight: use ops.stop_gradient for weights"
            assert_same(ops.convert_to_numpy(gradient), factors, what, rtol=1e-5, atol=1e-8)

    @pytest.mark.parametrize("name", COURSES)
    def test_the_sum_of_its_weights_stays_what_it_was(self, name: str) -> None:
        if not self.constant_sum:
            pytest.skip("the sum need not be constant: constant_sum is False")
        layer = self.build()
        sums = [(factors / layer.base_weights).sum() for factors, _ in train(layer, self.course(name))]
        what = (
            "the sum of the weights is not that of the first step: if this is intended, set constant_sum = False in "
            "the test class"
        )
        assert_same(sums, np.full(len(sums), sums[0]), what, rtol=1e-4)

    def test_its_weights_move_if_they_should(self) -> None:
        weights = np.array([factors for factors, _ in train(self.build(), self.course())])
        if self.moves:
            moved = np.abs(weights[-1] - weights[0]) > 1e-5 * weights[0]
            assert moved.any(), (
                "the weights at the end are those at the start: if they are fixed, set moves = False in the test class"
            )
        else:
            assert_same(weights, np.broadcast_to(weights[0], weights.shape), "moves is False, but the weights change")

    def test_the_weights_of_the_plan_multiply_those_of_the_rule(self) -> None:
        equal = dataclasses.replace(self.spec, weights=(1.0,) * len(self.spec.losses))
        weights = np.asarray(self.spec.weights, np.float32)
        weighted = train(self.build(), self.course())
        unweighted = train(self.build(equal), self.course())
        for (factors, _), (rule_weights, _) in zip(weighted, unweighted, strict=True):
            what = (
                "the weight of a loss must be that of the rule, computed from the losses only, times that of the plan: "
                "multiply by `base_weights` once"
            )
            assert_same(factors, rule_weights * weights, what, rtol=1e-4)

    def test_the_same_seed_and_losses_give_the_same_weights(self) -> None:
        first, second = (list(train(self.build(), self.course())) for _ in range(2))
        for (factors, objective), (factors_again, objective_again) in zip(first, second, strict=True):
            what = "the same seed and losses: draw random numbers from a Keras SeedGenerator"
            assert_same(factors_again, factors, f"the weights of a second training with {what}")
            assert_same(objective_again, objective, f"the objective of a second training with {what}")

    def test_its_state_is_in_its_variables(self) -> None:
        """Check it because the checkpoint has only its variables, including the states of seed generators."""
        done = 2
        for name in ("falling", "0 at first", "up and down"):
            layer, course = self.build(), self.course(name)
            built = len(layer.variables)
            list(train(layer, course[:done], of=len(course)))
            assert len(layer.variables) == built, "it creates variables during the training: create them in `build`"
            resumed = self.build(seed=2)
            for variable, other in zip(resumed.variables, layer.variables, strict=True):
                variable.assign(other)
            rest = [list(train(each, course[done:], first=done, of=len(course))) for each in (layer, resumed)]
            for (factors, objective), (resumed_factors, resumed_objective) in zip(*rest, strict=True):
                what = "resumed from the checkpoint after two epochs: keep all state in variables of self.add_state"
                assert_same(resumed_factors, factors, f"the weights {what}", rtol=1e-6)
                assert_same(resumed_objective, objective, f"the objective {what}", rtol=1e-6)

    def test_its_trained_variables_lower_the_objective(self) -> None:
        layer = self.build()
        if not layer.trainable_variables:
            pytest.skip("it has no trainable variables")
        losses = self.losses()
        for variable in layer.trainable_variables:
            value, gradient = gradient_of(layer, variable, losses)
            assert (gradient != 0).any(), f"no gradient reaches {variable.path}"
            variable.assign(variable - 0.01 * gradient / np.abs(gradient).max())
            lowered = float(layer(ops.convert_to_tensor(losses))) < value
            assert lowered, f"a step against the gradient of {variable.path} does not lower the objective"

    @pytest.mark.parametrize("count", [1, 5])
    def test_it_works_for_any_number_of_losses_or_raises_value_error(self, count: int) -> None:
        spec = WeightingSpec(tuple("abcde"[:count]), (1.0,) * count)
        try:
            layer = self.build(spec)
        except ValueError as refusal:
            pytest.skip(f"its parameters do not fit: {refusal}")
        losses = np.ones((2, 2, count), np.float32)
        for factors, objective in train(layer, losses):
            assert factors.shape == (count,), f"the weights of {count} losses have the shape {factors.shape}"
            assert np.isfinite(objective), f"the objective of {count} losses is {objective}"

    def test_it_trains_in_a_compiled_step(self) -> None:
        """Check a training step as in a run: with losses and norms of gradients, compiled by the backend."""
        eager_steps, compiled_steps = (self.run_task(eager) for eager in (True, False))
        for (factors, objective), (compiled, compiled_objective) in zip(eager_steps, compiled_steps, strict=True):
            assert np.isfinite(factors).all(), f"a weight is not finite: {factors}"
            what = "in compiled steps, compared with eager ones"
            assert_same(compiled, factors, f"the weights {what}", rtol=1e-3, atol=1e-6)
            assert_same(compiled_objective, objective, f"the objective {what}", rtol=1e-3, atol=1e-6)

    @pytest.mark.slow
    def test_it_is_the_same_on_the_other_backend(self, tmp_path: Path) -> None:
        """Check it in another process. Random numbers differ between backends, so with these it must only run there."""
        other = other_backend()
        cls, outputs = type(self.component), tmp_path / "factors.npy"
        values = {name: to_toml(value) for name, value in settings(self.component).items()}
        texts = [json.dumps(each) for each in (values, self.spec.losses, self.spec.weights)]
        run_on_backend(other, ON_THE_OTHER_BACKEND, cls.__module__, cls.__qualname__, *texts, str(outputs))
        weights, layer = np.load(outputs), self.build()
        assert np.isfinite(weights).all(), f"a weight is not finite on {other}"
        if not any("seed_generator" in variable.path for variable in layer.variables):
            expected = [factors for factors, _ in train(layer, self.course())]
            assert_same(weights, expected, f"the weights on {other}", rtol=1e-3, atol=1e-6)

    def run_task(self, eager: bool) -> list[tuple[np.ndarray, float]]:
        """Train one convolution for some steps; return the weights of the losses and the objective of each step."""
        layer = self.make()

        def power(exponent: int) -> Any:
            return lambda labels, logits: ops.mean(ops.abs(logits - ops.cast(labels[..., None], "float32")) ** exponent)

        image = keras.Input((4, 4, 1))
        network = keras.Model(image, keras.layers.Conv2D(2, 1, kernel_initializer="ones")(image))
        task = SegmentationTask(network, {name: power(i + 1) for i, name in enumerate(self.spec.losses)}, layer)
        task.compile(optimizer=keras.optimizers.Adam(0.05), run_eagerly=eager)
        if not eager:
            choose_compiler(task)
        random = np.random.default_rng(0)
        images, labels = random.random((2, 4, 4, 1), np.float32), random.integers(0, 2, (2, 4, 4), np.uint8)
        results = []
        layer.on_epoch_begin(0, 2)
        for _ in range(4):
            task.reset_metrics()
            objective = float(task.train_on_batch(images, labels, return_dict=True)["loss"])
            results.append((layer.factors(), objective))
        return results


def train(
    layer: WeightingLayer, course: np.ndarray, first: int = 0, of: int | None = None
) -> Iterator[tuple[np.ndarray, float]]:
    """Call the layer as a training does; yield the weights of the losses (n,) and the objective of each step.

    `course` (epochs, steps, n) has the losses from the epoch `first` on, and `of` is the number of epochs of the whole
    training. The norms of the gradients are proportional to the losses. Trainable variables of the layer are moved
    against their gradients.
    """
    for epoch, steps in enumerate(course, start=first):
        layer.on_epoch_begin(epoch, first + len(course) if of is None else of)
        for losses in steps:
            norms = np.abs(losses) * np.arange(1, layer.count + 1, dtype="float32")
            layer.step(ops.convert_to_tensor(losses), ops.convert_to_tensor(norms) if layer.uses_gradients else None)
            yield layer.factors(), float(layer(ops.convert_to_tensor(losses)))
            for variable in layer.trainable_variables:
                gradient = gradient_of(layer, variable, losses)[1]
                variable.assign(variable - 0.01 * np.sign(gradient))
        layer.on_epoch_end(steps.mean(axis=0))


def gradient_of(layer: WeightingLayer, variable: Any, losses: np.ndarray) -> tuple[float, np.ndarray]:
    """Return the objective, and its gradient with respect to a variable of the layer."""
    loss_tensor = ops.convert_to_tensor(losses)

    def objective(variable_value: Any) -> Any:
        with keras.StatelessScope(state_mapping=[(variable, variable_value)]):
            return layer(loss_tensor)

    value, gradient = value_and_gradient(objective, ops.convert_to_tensor(ops.convert_to_numpy(variable)))
    return float(value), np.asarray(ops.convert_to_numpy(gradient))
