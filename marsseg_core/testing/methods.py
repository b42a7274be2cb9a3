"""The contract of a semi-supervised method.

Its checks compute the term of the objective for a small network, with the views that the input pipeline makes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar, Literal

import keras
import numpy as np
from keras import ops

from ..components.interfaces import Method
from ..components.semi_layer import SemiLayer, ViewTensors
from ..components.semi_specs import SemiSpec
from ..data.views import ViewBatches
from ..networks.keras_backend.functions import value_and_gradient
from ..planning.grammar import components
from ..registry import kinds
from ..training.student import NetworkStudent
from .components import ComponentContract, assert_same

STEPS = 4
SIZE = (6, 8)


class MethodContract(ComponentContract):
    """Check a semi-supervised method: its views, a finite term that trains the network, and state in variables.

    Attributes:
        component: The method. A subclass must set it.
        labels: What its `label` returns, with which the checks call the layer: "hard" for class ids, "soft" for
            probabilities, "none" for None.
        spec: The training for which its layer is built.
    """

    component: ClassVar[Method]
    labels: ClassVar[Literal["none", "hard", "soft"]] = "none"
    spec: ClassVar[SemiSpec] = SemiSpec(4, (0,), epochs=2, steps_per_epoch=STEPS)

    def student(self, seed: int = 1) -> NetworkStudent:
        """Return a network with two convolutions and batch normalisation, whose logits are far apart."""
        keras.utils.set_random_seed(seed)
        image = keras.Input((None, None, 1))
        x = keras.layers.Conv2D(5, 1, activation="relu")(image)
        x = keras.layers.BatchNormalization()(x)
        logits = keras.layers.Conv2D(self.spec.num_classes, 1, kernel_initializer="glorot_normal")(x)
        return NetworkStudent(keras.Model(image, 8.0 * logits))

    def build(self, student: NetworkStudent) -> SemiLayer:
        layer = self.component.build(self.spec)
        assert isinstance(layer, SemiLayer), f"it builds a {type(layer).__name__}, not a SemiLayer"
        layer.prepare(student)
        return layer

    def batches(self) -> Iterator[dict[str, np.ndarray]]:
        """Yield the views of an epoch. The strong view is the weak view with noise."""
        random = np.random.default_rng(0)
        images = random.integers(0, 256, (12, *SIZE, 1), np.uint8)
        labels = None
        if self.labels == "hard":
            labels = random.choice(np.array([*self.spec.counted, 255], np.uint8), images.shape[:3])
        elif self.labels == "soft":
            labels = random.integers(0, 80, (*images.shape[:3], self.spec.num_classes), np.uint8)
        views = self.component.views
        made = ViewBatches(
            images, (), (), batch=3, seed=1, size=SIZE, cutmix=views.cutmix, labels=labels, uses_weak=views.uses_weak
        )
        for step in range(STEPS):
            batch = made.make(0, step, STEPS)
            noise = random.uniform(-0.2, 0.2, batch["strong"].shape).astype(np.float32)
            yield batch | {"strong": np.clip(batch["strong"] + noise, 0, 1)}

    def terms(self, layer: SemiLayer, student: NetworkStudent, batches: Iterator[dict[str, np.ndarray]]) -> Any:
        """Return the term and the share of each step, (steps, 2); the student's weights change in between."""
        results = []
        for views in batches:
            results.append([float(value) for value in layer.term(student, tensors(views))])
            for weight in student.weights:
                weight.assign(0.9 * ops.convert_to_tensor(weight) + 0.01)
        return np.array(results)

    def test_its_views_are_augmentations(self) -> None:
        views = self.component.views
        for text in (views.weak, views.strong):
            components(kinds.AUGMENTATION, text)
        assert 0 <= views.cutmix <= 1, f"cutmix is {views.cutmix}, which is not a probability"

    def test_its_term_and_its_share_are_scalars_in_float32(self) -> None:
        student = self.student()
        results = self.build(student).term(student, tensors(next(self.batches())))
        for name, value in zip(("term", "share"), results, strict=True):
            assert tuple(value.shape) == (), f"the {name} has the shape {tuple(value.shape)}, not that of a scalar"
            dtype = keras.backend.standardize_dtype(value.dtype)
            assert dtype == "float32", f"the {name} is {dtype}, not float32"

    def test_its_term_is_finite_and_its_share_is_from_0_to_1(self) -> None:
        student = self.student()
        results = self.terms(self.build(student), student, self.batches())
        assert np.isfinite(results).all(), f"the terms and shares of {STEPS} steps are {results.tolist()}"
        shares = results[:, 1]
        assert ((shares >= 0) & (shares <= 1)).all(), f"the shares are {shares.tolist()}, not from 0 to 1"

    def test_pixels_that_do_not_count_do_not_count(self) -> None:
        student = self.student()
        views = next(self.batches())
        views["counted"] = np.zeros_like(views["counted"])
        term, share = (float(value) for value in self.build(student).term(student, tensors(views)))
        assert term == 0, f"the term is {term}, although no pixel counts"
        assert share == 0, f"the share is {share}, although no pixel counts"

    def test_it_trains_the_network(self) -> None:
        """Check that the term depends on the logits of the strong view."""
        student = self.student()
        views = tensors(next(self.batches()))
        layer = self.build(student)
        shift = np.zeros(self.spec.num_classes, np.float32)

        class Shifted:
            weights = student.weights

            def logits(self, images: Any, weights: Any = None) -> Any:
                logits = student.logits(images, weights)
                return logits + added if images is views.strong else logits

        added = ops.convert_to_tensor(shift)

        def value(at: Any) -> Any:
            nonlocal added
            added = at
            return layer.term(Shifted(), views)[0]

        gradient = ops.convert_to_numpy(value_and_gradient(value, ops.convert_to_tensor(shift))[1])
        assert np.isfinite(gradient).all(), f"the gradient is {gradient.tolist()}"
        assert (gradient[list(self.spec.counted)] != 0).any(), "no gradient reaches the logits of the strong view"

    def test_its_state_is_in_its_variables(self) -> None:
        """Check it because the checkpoint has only its variables."""
        batches = list(self.batches())
        student = self.student()
        layer = self.build(student)
        built = len(layer.variables)
        self.terms(layer, student, iter(batches[:2]))
        assert len(layer.variables) == built, "it creates variables during the training: create them in `prepare`"
        again = self.student(seed=2)
        resumed = self.build(again)
        for copies, originals in ((again.weights, student.weights), (resumed.variables, layer.variables)):
            for variable, other in zip(copies, originals, strict=True):
                variable.assign(other)
        rest, resumed_rest = (
            self.terms(a_layer, a_student, iter(batches[2:]))
            for a_layer, a_student in ((layer, student), (resumed, again))
        )
        what = "the terms resumed from the checkpoint after two steps: keep all state in weights of the layer"
        assert_same(resumed_rest, rest, what)


def tensors(views: dict[str, np.ndarray]) -> ViewTensors:
    """Return the views of a batch as tensors."""
    return ViewTensors(**{name: ops.convert_to_tensor(array) for name, array in views.items()})
