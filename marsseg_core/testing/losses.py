"""The contract of a loss, to inherit in a test:

    class TestMine(LossContract):
        component = Mine(power=0.5)

It works on small random images in which every label occurs, on whichever backend Keras has; once on the other one, in a
fresh process, is marked slow.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import keras
import numpy as np
import pytest
from keras import ops

from ..components.interfaces import Loss
from ..components.specs import LossSpec, WeightingSpec
from ..components.weighting_layer import WeightingLayer
from ..conventions import VOID
from ..data.targets import with_targets
from ..errors import RequestError
from ..networks.keras_backend import choose_compiler, precision, value_and_gradient
from ..registry.parameters import settings, to_toml
from ..training.task import SegmentationTask
from .components import ComponentContract, assert_same, fresh_python, other_backend

# Labels that losses stumble over, made from ordinary ones: (labels (B, H, W), spec) → labels.
LABELS: dict[str, Callable[[np.ndarray, LossSpec], np.ndarray]] = {
    "every label": lambda labels, spec: labels,
    "void only": lambda labels, spec: np.full_like(labels, VOID),
    "ignored only": lambda labels, spec: np.full_like(labels, (*spec.ignore_classes, VOID)[0]),
    "one class": lambda labels, spec: np.full_like(labels, counted_classes(spec)[0]),
    "one pixel": lambda labels, spec: (
        np.where(np.arange(labels.size) == 7, counted_classes(spec)[-1], VOID).astype(np.uint8).reshape(labels.shape)
    ),
}

# What networks say: from nothing to as good as certain, ±1e4.
SCALES = (0, 3, 5, 10, 20, 1e4)

IN_A_FRESH_PROCESS = """
import importlib, json, sys
import numpy as np
from marsseg_core.networks.keras_backend import fixed_settings
from marsseg_core.components.specs import LossSpec
from marsseg_core.registry.parameters import configure
from marsseg_core.testing.losses import measure
module, name, values, spec, inputs, outputs = sys.argv[1:]
component = configure(getattr(importlib.import_module(module), name), json.loads(values))
spec = {key: tuple(value) if isinstance(value, list) else value for key, value in json.loads(spec).items()}
with fixed_settings(), np.load(inputs) as given:
    value, gradient = measure(component, LossSpec(**spec), given["labels"], given["logits"])
np.savez(outputs, value=value, gradient=gradient)
"""


class LossContract(ComponentContract):
    """What every loss keeps to; a subclass sets `component`.

    `spec` is the data that it is build_loss for. A loss that a perfect prediction does not bring to 0 says so with
    `zero_at_perfection`, one that has no gradient at some labelled pixels with `reaches_every_pixel`.
    """

    component: ClassVar[Loss]
    spec: ClassVar[LossSpec] = LossSpec(5, (0,), (2431, 3390, 2328, 1838, 13))
    zero_at_perfection: ClassVar[bool] = True
    reaches_every_pixel: ClassVar[bool] = True

    def measure(self, labels: np.ndarray, logits: np.ndarray, spec: LossSpec | None = None) -> tuple[float, np.ndarray]:
        """The loss, and its gradient with respect to the logits; both are finite."""
        value, gradient = measure(self.component, spec or self.spec, labels, logits)
        said = f"where logits are up to ±{np.abs(logits).max():g}"
        assert np.isfinite(value), f"the loss is {value} {said}"
        wrong = np.count_nonzero(~np.isfinite(gradient))
        assert not wrong, f"{wrong} of {gradient.size} values of its gradient are no finite numbers {said}"
        return value, gradient

    def value(self, labels: np.ndarray, logits: np.ndarray) -> float:
        return self.measure(labels, logits)[0]

    def sample(self, seed: int = 0, scale: float = 3.0) -> tuple[np.ndarray, np.ndarray]:
        """Labels (2, 4, 6) uint8, every class and void among them, and logits (2, 4, 6, K) float32."""
        random = np.random.default_rng(seed)
        every = [*range(self.spec.num_classes), VOID]
        labels = random.permutation(np.resize(every, 48)).reshape(2, 4, 6).astype(np.uint8)
        return labels, (scale * random.standard_normal((2, 4, 6, self.spec.num_classes))).astype(np.float32)

    def counted(self, labels: np.ndarray) -> np.ndarray:
        """(B, H, W) boolean: the pixels that are neither void nor of an ignored class."""
        return np.isin(labels, counted_classes(self.spec))

    def certain(self, labels: np.ndarray, shift: int = 0) -> np.ndarray:
        """Logits of ±1 that say the right class, or with `shift` another one that counts."""
        classes = np.array(counted_classes(self.spec))
        known = np.where(self.counted(labels), labels, classes[0])
        said = classes[(np.searchsorted(classes, known) + shift) % len(classes)]
        return np.where(said[..., None] == np.arange(self.spec.num_classes), 1, -1).astype(np.float32)

    def test_it_is_a_scalar_in_float32(self) -> None:
        labels, logits = self.sample()
        function, given = build_loss(self.component, self.spec, labels)
        value = function(ops.convert_to_tensor(labels), ops.convert_to_tensor(logits), *given)
        assert tuple(value.shape) == (), f"it gives an array of shape {tuple(value.shape)}, not one number"
        dtype = keras.backend.standardize_dtype(value.dtype)
        assert dtype == "float32", f"it gives {dtype}, not float32"

    @pytest.mark.parametrize("kind", LABELS)
    def test_it_is_finite_on_any_labels_and_logits(self, kind: str) -> None:
        labels, logits = self.sample()
        labels = LABELS[kind](labels, self.spec)
        right, wrong = self.certain(labels), self.certain(labels, shift=1)
        for said in (logits, *(scale * each for scale in SCALES for each in (right, wrong))):
            self.measure(labels, said.astype(np.float32))

    def test_it_is_finite_where_the_training_part_lacks_a_class(self) -> None:
        labels, logits = self.sample()
        last = counted_classes(self.spec)[-1]
        frequencies = tuple(0 if c == last else n for c, n in enumerate(self.spec.class_frequencies))
        self.measure(labels, logits, dataclasses.replace(self.spec, class_frequencies=frequencies))

    def test_it_takes_other_classes_and_shapes(self) -> None:
        """Three classes and one image of 5 by 7, where all else is of `spec` and two images of 4 by 6."""
        spec = LossSpec(3, (), (40, 7, 23))
        random = np.random.default_rng(0)
        labels = random.permutation(np.resize([0, 1, 2, VOID], 35)).reshape(1, 5, 7).astype(np.uint8)
        logits = (3 * random.standard_normal((1, 5, 7, 3))).astype(np.float32)
        try:
            self.component.build(spec)
        except (RequestError, ValueError) as refusal:
            pytest.skip(f"it says: {refusal}")
        said = "for 3 classes and one image of 5 by 7"
        try:
            function, given = build_loss(self.component, spec, labels)
            shape = tuple(function(ops.convert_to_tensor(labels), ops.convert_to_tensor(logits), *given).shape)
        except Exception as cause:
            what = f"it fails {said}; take both from spec and the arrays: {type(cause).__name__}: {cause}"
            raise AssertionError(what) from cause
        assert shape == (), f"it gives an array of shape {shape}, not one number, {said}"
        _, gradient = self.measure(labels, logits, spec)
        assert gradient.shape == logits.shape, f"its gradient has the shape {gradient.shape} {said}"
        assert (gradient[labels == VOID] == 0).all(), f"void pixels have a gradient {said}"

    @pytest.mark.parametrize("dtype", ["int32", "int64", "float32"])
    def test_labels_are_taken_as_any_kind_of_number(self, dtype: str) -> None:
        """The pipeline gives uint8, Keras' own `compile` float32."""
        labels, logits = self.sample()
        found, expected = self.value(labels.astype(dtype), logits), self.value(labels, logits)
        assert found == pytest.approx(expected, rel=1e-6), f"it is {found} for labels of {dtype}, {expected} for uint8"

    def test_half_precision_logits_are_taken_to_float32(self) -> None:
        labels, logits = self.sample()
        half = logits.astype(np.float16)
        with precision("mixed_float16"):
            value = self.value(labels, half)
        expected = self.value(labels, half.astype(np.float32))
        assert value == pytest.approx(expected, rel=1e-6), (
            f"it is {value} for logits of float16, {expected} for the same of float32: cast them to float32 first"
        )

    @pytest.mark.parametrize("kind", LABELS)
    def test_the_gradient_is_exactly_zero_where_no_pixel_counts(self, kind: str) -> None:
        labels, logits = self.sample()
        labels = LABELS[kind](labels, self.spec)
        _, gradient = self.measure(labels, logits)
        reached = (gradient != 0).any(axis=-1) & ~self.counted(labels)
        assert not reached.any(), (
            f"{reached.sum()} pixels that are void or of an ignored class have a gradient: "
            f"a loss leaves out labels of {VOID} and those in spec.ignore_classes"
        )

    def test_labelled_pixels_have_a_gradient(self) -> None:
        labels, logits = self.sample()
        reached = (self.measure(labels, logits)[1] != 0).any(axis=-1)[self.counted(labels)]
        assert reached.any(), "no labelled pixel has a gradient"
        if self.reaches_every_pixel:
            assert reached.all(), f"{np.count_nonzero(~reached)} of {reached.size} labelled pixels have no gradient"

    def test_what_an_ignored_pixel_holds_changes_nothing(self) -> None:
        labels, logits = self.sample()
        away = ~self.counted(labels)
        value, gradient = self.measure(labels, logits)
        for held in (0, 1e4 * np.sign(logits[away])):
            logits[away] = held
            again, gradient_again = self.measure(labels, logits)
            assert again == pytest.approx(value, rel=1e-6), "logits of void and ignored pixels change the loss"
            what = "logits of void and ignored pixels change the gradient"
            assert_same(gradient_again, gradient, what, rtol=1e-5, atol=1e-8)

    def test_without_ignored_classes_their_pixels_count(self) -> None:
        if not self.spec.ignore_classes:
            pytest.skip("the spec ignores no class")
        labels, logits = self.sample()
        gradient = self.measure(labels, logits, dataclasses.replace(self.spec, ignore_classes=()))[1]
        assert (gradient[np.isin(labels, self.spec.ignore_classes)] != 0).any(), (
            "with ignore_classes=(), class 0 has no gradient"
        )
        assert (gradient[labels == VOID] == 0).all(), "with ignore_classes=(), void pixels have a gradient"

    def test_the_gradient_agrees_with_finite_differences(self) -> None:
        labels, logits = self.sample(scale=1.0)
        value, gradient = self.measure(labels, logits)
        random = np.random.default_rng(1)
        steepest = gradient / (np.sqrt(np.mean(gradient**2)) + 1e-12)
        step = np.float32(5e-4)  # some losses have a kink wherever two pixels change places
        for direction in (steepest, *random.standard_normal((3, *logits.shape))):
            ahead, behind = (self.value(labels, logits + sign * step * direction.astype("float32")) for sign in (1, -1))
            slope = (ahead - behind) / (2 * float(step))
            expected = pytest.approx(slope, rel=0.02, abs=5e-4 * max(1, abs(value)))
            assert (gradient * direction).sum() == expected, "the gradient is not the slope of the loss"

    def test_following_the_gradient_lowers_it(self) -> None:
        labels, logits = self.sample()
        value, gradient = self.measure(labels, logits)
        assert (gradient != 0).any(), "the gradient is 0 everywhere"
        after = self.value(labels, logits - 0.05 * gradient / np.abs(gradient).max())
        assert after < value, "a step down the gradient raises the loss"

    def test_it_is_negative_only_where_it_says_so(self) -> None:
        if self.component.may_be_negative:
            pytest.skip("it may be negative, and says so")
        for seed in range(8):
            labels, logits = self.sample(seed, scale=10.0 ** (seed % 4 - 1))
            assert self.value(labels, logits) >= 0, "it is negative, and may_be_negative does not say so"
        assert self.value(labels, 1e4 * self.certain(labels)) >= 0, "it is negative at perfection"

    @pytest.mark.parametrize("kind", LABELS)
    def test_a_perfect_prediction_costs_nothing(self, kind: str) -> None:
        if not self.zero_at_perfection:
            pytest.skip("it does not promise to be 0 at perfection")
        labels = LABELS[kind](self.sample()[0], self.spec)
        value = self.value(labels, 1e4 * self.certain(labels))
        assert value == pytest.approx(0, abs=1e-6), f"a perfect prediction costs {value}"

    def test_a_wrong_prediction_costs_more_than_a_perfect_one(self) -> None:
        labels, _ = self.sample()
        right, wrong = (self.value(labels, 1e4 * self.certain(labels, shift)) for shift in (0, 1))
        assert right < wrong, "a wrong prediction costs no more than a perfect one"

    @pytest.mark.parametrize("axis", [0, 1, 2], ids=["images", "rows", "columns"])
    def test_turning_labels_and_logits_together_changes_nothing(self, axis: int) -> None:
        labels, logits = self.sample()
        value, gradient = self.measure(labels, logits)
        turned, turned_gradient = self.measure(np.flip(labels, axis).copy(), np.flip(logits, axis).copy())
        assert turned == pytest.approx(value, rel=1e-5), f"it is {turned} when all is turned, before {value}"
        what = "the gradient is another when all is turned"
        assert_same(np.flip(turned_gradient, axis), gradient, what, rtol=1e-3, atol=1e-6)

    def test_its_targets_are_of_each_mask_alone(self) -> None:
        targets = self.component.targets(self.spec)
        if targets is None:
            pytest.skip("it wants no targets")
        masks, _ = self.sample()
        before = masks.copy()
        together = targets(masks)
        assert_same(masks, before, "it changes the masks that it is given")
        assert len(together) == len(masks), f"it gives {len(together)} targets for {len(masks)} masks"
        assert_same(targets(masks), together, "the same masks, other targets")
        for i in range(len(masks)):
            assert_same(targets(masks[i : i + 1])[0], together[i], "a mask's targets depend on the others of its batch")
        for kind, change in LABELS.items():
            finite = np.isfinite(targets(change(masks, self.spec))).all()
            assert finite, f"its targets are not all finite numbers where the labels are: {kind}"

    def test_it_trains_in_a_compiled_step(self) -> None:
        """As in a run: the task gives it labels, logits and targets, and the backend compiles the step."""
        labels, _ = self.sample()
        images = np.eye(VOID + 1, dtype="float32")[labels][..., : self.spec.num_classes]
        keras.utils.set_random_seed(1)
        image = keras.Input(images.shape[1:])
        network = keras.Model(image, keras.layers.Conv2D(self.spec.num_classes, 1)(image))
        targets = self.component.targets(self.spec)
        named = {} if targets is None else {"loss": targets}
        weighting = WeightingLayer(WeightingSpec(("loss",), (1.0,)))
        task = SegmentationTask(network, {"loss": self.component.build(self.spec)}, weighting, self.spec.ignore_classes)
        task.compile(optimizer=keras.optimizers.Adam(0.1))
        choose_compiler(task)
        expected = self.value(labels, ops.convert_to_numpy(network(images)))
        losses = []
        for _ in range(10):
            task.reset_metrics()
            losses.append(task.train_on_batch(images, with_targets(labels, named), return_dict=True)["loss"])
        first, last = float(losses[0]), float(losses[-1])
        assert first == pytest.approx(expected, rel=1e-4, abs=1e-6), f"compiled it is {first}, else {expected}"
        assert last < first, f"10 steps of a convolution did not lower it: {first} before, {last} after"

    @pytest.mark.slow
    def test_it_is_the_same_on_the_other_backend(self, tmp_path: Path) -> None:
        """In a fresh process."""
        other = other_backend()
        labels, logits = self.sample()
        np.savez(tmp_path / "inputs.npz", labels=labels, logits=logits)
        cls = type(self.component)
        values = {name: to_toml(value) for name, value in settings(self.component).items()}
        texts = [json.dumps(each) for each in (values, dataclasses.asdict(self.spec))]
        files = [str(tmp_path / name) for name in ("inputs.npz", "outputs.npz")]
        fresh_python(IN_A_FRESH_PROCESS, cls.__module__, cls.__qualname__, *texts, *files, KERAS_BACKEND=other)
        value, gradient = self.measure(labels, logits)
        with np.load(files[1]) as found:
            assert_same(found["value"], value, f"the loss on {other}", rtol=1e-4, atol=1e-6)
            assert_same(found["gradient"], gradient, f"the gradient on {other}", rtol=1e-3, atol=1e-6)


def counted_classes(spec: LossSpec) -> list[int]:
    """The classes that a loss does not ignore."""
    return [c for c in range(spec.num_classes) if c not in spec.ignore_classes]


def build_loss(component: Loss, spec: LossSpec, labels: np.ndarray) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """The loss's function, and what it is given after labels and logits: its targets, if it wants some."""
    targets = component.targets(spec)
    given = () if targets is None else (ops.convert_to_tensor(targets(labels.astype(np.uint8))),)
    function: Any = component.build(spec)
    assert callable(function), f"it builds {function!r}, not a function of labels and logits"
    return function, given


def measure(component: Loss, spec: LossSpec, labels: np.ndarray, logits: np.ndarray) -> tuple[float, np.ndarray]:
    """The loss of labels (B, H, W) and logits (B, H, W, K), and its gradient with respect to the logits."""
    function, given = build_loss(component, spec, labels)
    tensor = ops.convert_to_tensor(labels)
    value, gradient = value_and_gradient(lambda at: function(tensor, at, *given), ops.convert_to_tensor(logits))
    return float(value), np.asarray(ops.convert_to_numpy(gradient))
