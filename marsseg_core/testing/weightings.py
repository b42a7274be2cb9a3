"""The contract of a weighting, to inherit in a test:

    class TestMine(WeightingContract):
        component = Mine()

It takes the layer through the epochs of trainings that go well, stand still, start without a label, or blow up, in the
order of calls that a run has.
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
from ..networks.keras_backend import choose_compiler, precision, value_and_gradient
from ..registry.parameters import settings, to_toml
from ..training.task import SegmentationTask
from .components import ComponentContract, assert_same, fresh_python, other_backend

EPOCHS, STEPS = 5, 3

# How the losses (n,) of a training go: the factor on each at a step, from 0 at the first to 1 at the last.
COURSES: Final[dict[str, Callable[[float, int], np.ndarray]]] = {
    "falls": lambda done, n: np.exp(-done * np.arange(1, n + 1)),
    "stands still": lambda done, n: np.ones(n),
    "rises": lambda done, n: np.exp(3 * done * np.arange(n)),
    "one is 0": lambda done, n: np.where(np.arange(n) == n - 1, 0.0, np.exp(-done)),
    "all are 0": lambda done, n: np.zeros(n),
    "no label at first": lambda done, n: np.full(n, float(done > 0.3)),
    "no label in between": lambda done, n: np.full(n, float(not 0.3 < done < 0.6)),
    "down to nearly 0": lambda done, n: np.full(n, 1e-12**done),
    "blows up": lambda done, n: np.full(n, 1e12**done),
    # The others have the same ratios at each step: here a rule that has forgotten some is not right by chance.
    "goes up and down": lambda done, n: np.random.default_rng(round(1e4 * done)).uniform(0.2, 3, n),
}


IN_A_FRESH_PROCESS = """
import importlib, json, sys
import numpy as np
from marsseg_core.networks.keras_backend import fixed_settings
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
    """What every weighting keeps to; a subclass sets `component`.

    `spec` is what it is built for; parameters with one value for each loss must fit it. `constant_sum` tells that the
    weights of the rule have the same sum at all times, `moves` that they change.
    """

    component: ClassVar[Weighting]
    spec: ClassVar[WeightingSpec] = WeightingSpec(("a", "b", "c"), (1.0, 0.5, 2.0))
    constant_sum: ClassVar[bool] = True
    moves: ClassVar[bool] = True

    def make(self, spec: WeightingSpec | None = None, seed: int = 1) -> WeightingLayer:
        """The layer, without its variables."""
        keras.utils.set_random_seed(seed)
        return self.component.build(spec or self.spec)

    def build(self, spec: WeightingSpec | None = None, seed: int = 1) -> WeightingLayer:
        layer = self.make(spec, seed)
        layer.build((layer.count,))
        return layer

    def losses(self, seed: int = 0) -> np.ndarray:
        """(n,) float32, from a tenth to 3."""
        return np.random.default_rng(seed).uniform(0.1, 3, len(self.spec.losses)).astype(np.float32)

    def course(self, name: str = "falls") -> np.ndarray:
        """(epochs, steps, n) float32: the losses of a training."""
        done = np.linspace(0, 1, EPOCHS * STEPS)
        start = self.losses()
        values = [start * COURSES[name](each, len(start)) for each in done]
        return np.reshape(np.array(values, np.float32), (EPOCHS, STEPS, len(start)))

    def test_its_objective_is_a_scalar_in_float32(self) -> None:
        for policy in ("float32", "mixed_float16"):
            with precision(policy):
                value = self.build()(ops.convert_to_tensor(self.losses()))
            dtype = keras.backend.standardize_dtype(value.dtype)
            assert tuple(value.shape) == (), f"the objective is of shape {tuple(value.shape)}, not one number"
            assert dtype == "float32", (
                f"the objective is {dtype}, not float32, where the network's precision is {policy}"
            )

    @pytest.mark.parametrize("name", COURSES)
    def test_whatever_the_losses_do_objective_and_weights_stay_finite(self, name: str) -> None:
        layer = self.build()
        for factors, objective in train(layer, self.course(name)):
            assert factors.shape == (layer.count,), f"weights of shape {factors.shape} for {layer.count} losses"
            assert np.isfinite(factors).all(), f"weights that are no finite numbers: {factors}"
            assert (factors >= 0).all(), f"weights below 0: {factors}"
            assert np.isfinite(objective), f"the objective is {objective}"

    def test_negative_losses_are_taken_unless_it_says_otherwise(self) -> None:
        if self.component.needs_nonnegative:
            pytest.skip("it needs losses that are not negative, and says so")
        course = self.course() - np.float32(1)
        for factors, objective in train(self.build(), course):
            assert np.isfinite([*factors, objective]).all(), (
                f"losses below 0 give the weights {factors} and the objective {objective}: take them, or have "
                "needs_nonnegative say that it cannot"
            )

    def test_each_loss_counts_by_its_factor(self) -> None:
        """The weights are taken without gradient: the objective's, with respect to the losses, is `factors`."""
        layer = self.build()
        for factors, _ in train(layer, self.course()):
            gradient = value_and_gradient(layer, ops.convert_to_tensor(self.losses()))[1]
            what = "the objective's gradient with respect to the losses is not their weights: ops.stop_gradient"
            assert_same(ops.convert_to_numpy(gradient), factors, what, rtol=1e-5, atol=1e-8)

    @pytest.mark.parametrize("name", COURSES)
    def test_the_sum_of_its_weights_stays_what_it_was(self, name: str) -> None:
        if not self.constant_sum:
            pytest.skip("it does not promise a constant sum")
        layer = self.build()
        sums = [(factors / layer.base_weights).sum() for factors, _ in train(layer, self.course(name))]
        what = (
            "the sum of the weights is not at all steps that of the first; one that need not be: constant_sum = False"
        )
        assert_same(sums, np.full(len(sums), sums[0]), what, rtol=1e-4)

    def test_its_weights_move_if_they_should(self) -> None:
        found = np.array([factors for factors, _ in train(self.build(), self.course())])
        if self.moves:
            moved = np.abs(found[-1] - found[0]) > 1e-5 * found[0]
            assert moved.any(), "the weights are at the end what they were at first; of fixed ones: moves = False"
        else:
            assert_same(found, np.broadcast_to(found[0], found.shape), "moves = False, and the weights move")

    def test_a_weight_of_the_plan_counts_on_top_of_the_rule(self) -> None:
        alike = dataclasses.replace(self.spec, weights=(1.0,) * len(self.spec.losses))
        weights = np.asarray(self.spec.weights, np.float32)
        weighted = train(self.build(), self.course())
        unweighted = train(self.build(alike), self.course())
        for (factors, _), (own, _) in zip(weighted, unweighted, strict=True):
            what = "the plan's weights do not multiply what the rule gives without them: multiply by `given`, once"
            assert_same(factors, own * weights, what, rtol=1e-4)

    def test_the_same_seed_and_losses_give_the_same_weights(self) -> None:
        first, second = (list(train(self.build(), self.course())) for _ in range(2))
        for (factors, objective), (again, same) in zip(first, second, strict=True):
            assert_same(again, factors, "the same seed and losses, other weights: draw from a keras SeedGenerator")
            assert_same(same, objective, "the same seed and losses, another objective")

    def test_all_that_it_remembers_is_in_its_variables(self) -> None:
        """They are what the checkpoint keeps, after an epoch; seed generators' states are among them."""
        done = 2
        for name in ("falls", "no label at first", "goes up and down"):
            layer, course = self.build(), self.course(name)
            made = len(layer.variables)
            list(train(layer, course[:done], of=len(course)))
            assert len(layer.variables) == made, "it made variables while it trained: make them in `build`"
            resumed = self.build(seed=2)
            for variable, other in zip(resumed.variables, layer.variables, strict=True):
                variable.assign(other)
            rest = [list(train(each, course[done:], first=done, of=len(course))) for each in (layer, resumed)]
            for (factors, objective), (again, same) in zip(*rest, strict=True):
                what = (
                    "resumed from the checkpoint after two epochs: keep all that it remembers in self.add_state(name)"
                )
                assert_same(again, factors, f"other weights, {what}", rtol=1e-6)
                assert_same(same, objective, f"another objective, {what}", rtol=1e-6)

    def test_what_it_trains_lowers_the_objective(self) -> None:
        layer = self.build()
        if not layer.trainable_variables:
            pytest.skip("it trains nothing")
        losses = self.losses()
        for variable in layer.trainable_variables:
            value, gradient = gradient_of(layer, variable, losses)
            assert (gradient != 0).any(), f"no gradient reaches {variable.path}"
            variable.assign(variable - 0.01 * gradient / np.abs(gradient).max())
            lowered = float(layer(ops.convert_to_tensor(losses))) < value
            assert lowered, f"a step down the gradient of {variable.path} raises the objective"

    @pytest.mark.parametrize("count", [1, 5])
    def test_it_takes_any_number_of_losses_or_says_that_it_does_not_fit(self, count: int) -> None:
        spec = WeightingSpec(tuple("abcde"[:count]), (1.0,) * count)
        try:
            layer = self.build(spec)
        except ValueError as refusal:
            pytest.skip(f"it says: {refusal}")
        losses = np.ones((2, 2, count), np.float32)
        for factors, objective in train(layer, losses):
            assert factors.shape == (count,), f"weights of shape {factors.shape} for {count} losses"
            assert np.isfinite(objective), f"the objective of {count} losses is {objective}"

    def test_it_trains_in_a_compiled_step(self) -> None:
        """As in a run: the task shows it losses and norms, and the backend compiles the step."""
        eagerly, compiled = (self.run_task(eager) for eager in (True, False))
        for (factors, objective), (own, same) in zip(eagerly, compiled, strict=True):
            assert np.isfinite(factors).all(), f"weights that are no finite numbers: {factors}"
            assert_same(own, factors, "other weights where the step is compiled", rtol=1e-3, atol=1e-6)
            assert_same(same, objective, "another objective where the step is compiled", rtol=1e-3, atol=1e-6)

    @pytest.mark.slow
    def test_it_is_the_same_on_the_other_backend(self, tmp_path: Path) -> None:
        """In a fresh process; with draws of chance, which differ between backends, it only runs there."""
        other = other_backend()
        cls, outputs = type(self.component), tmp_path / "factors.npy"
        values = {name: to_toml(value) for name, value in settings(self.component).items()}
        texts = [json.dumps(each) for each in (values, self.spec.losses, self.spec.weights)]
        fresh_python(IN_A_FRESH_PROCESS, cls.__module__, cls.__qualname__, *texts, str(outputs), KERAS_BACKEND=other)
        found, layer = np.load(outputs), self.build()
        assert np.isfinite(found).all(), f"weights that are no finite numbers on {other}"
        if not any("seed_generator" in variable.path for variable in layer.variables):
            expected = [factors for factors, _ in train(layer, self.course())]
            assert_same(found, expected, f"other weights on {other}", rtol=1e-3, atol=1e-6)

    def run_task(self, eager: bool) -> list[tuple[np.ndarray, float]]:
        """What each loss counts and the objective, at each step of a short training of one convolution."""
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
        found = []
        layer.on_epoch_begin(0, 2)
        for _ in range(4):
            task.reset_metrics()
            objective = float(task.train_on_batch(images, labels, return_dict=True)["loss"])
            found.append((layer.factors(), objective))
        return found


def train(
    layer: WeightingLayer, course: np.ndarray, first: int = 0, of: int | None = None
) -> Iterator[tuple[np.ndarray, float]]:
    """What each loss counts and the objective at each step, with the calls of a run.

    `course` (epochs, steps, n) are the losses from epoch `first` on, of so many in all. The norms are in proportion to
    the losses; what the layer trains is moved along its gradient.
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
    """The objective, and its gradient with respect to a variable of the layer."""
    given = ops.convert_to_tensor(losses)

    def objective(at: Any) -> Any:
        with keras.StatelessScope(state_mapping=[(variable, at)]):
            return layer(given)

    value, gradient = value_and_gradient(objective, ops.convert_to_tensor(ops.convert_to_numpy(variable)))
    return float(value), np.asarray(ops.convert_to_numpy(gradient))
