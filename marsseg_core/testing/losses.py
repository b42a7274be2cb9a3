"""The contract of a loss.

Its checks use small random images in which every label occurs, on the backend that Keras uses. The check that compares
the loss with the other backend, in a fresh process, is marked slow.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from functools import partial
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
from ..networks.keras_backend.devices import choose_compiler
from ..networks.keras_backend.functions import value_and_gradient
from ..networks.keras_backend.settings import precision
from ..registry.parameters import settings, to_toml
from ..training.task import SegmentationTask
from .components import ComponentContract, assert_same
from .other_backend import other_backend, run_on_backend

# Labels that are difficult for losses, made from ordinary ones: (labels (B, H, W), spec) → labels.
LABELS: dict[str, Callable[[np.ndarray, LossSpec], np.ndarray]] = {
    "every label": lambda labels, spec: labels,
    "void only": lambda labels, spec: np.full_like(labels, VOID),
    "ignored only": lambda labels, spec: np.full_like(labels, (*spec.ignore_classes, VOID)[0]),
    "one class": lambda labels, spec: np.full_like(labels, counted_classes(spec)[0]),
    "one pixel": lambda labels, spec: (
        np.where(np.arange(labels.size) == 7, counted_classes(spec)[-1], VOID).astype(np.uint8).reshape(labels.shape)
    ),
}

# The scales of logits: from 0, no information, to ±1e4, practically certain.
SCALES = (0, 3, 5, 10, 20, 1e4)

ON_THE_OTHER_BACKEND = """
import importlib, json, sys
import numpy as np
from marsseg_core.networks.keras_backend.settings import fixed_settings
from marsseg_core.components.specs import LossSpec
from marsseg_core.registry.parameters import configure
from marsseg_core.testing.losses import measure
module, name, values, spec, inputs, outputs = sys.argv[1:]
component = configure(getattr(importlib.import_module(module), name), json.loads(values))
spec = {key: tuple(value) if isinstance(value, list) else value for key, value in json.loads(spec).items()}
with fixed_settings(), np.load(inputs) as arrays:
    value, gradient = measure(component, LossSpec(**spec), arrays["labels"], arrays["logits"])
np.savez(outputs, value=value, gradient=gradient)
"""


class LossContract(ComponentContract):
    """Check a loss: finite values, correct gradients, no effect of void and ignored pixels, and compiled training.

    Attributes:
        component: The loss. A subclass must set it.
        spec: The data for which the loss is built.
        zero_at_perfection: Whether the loss is 0 for a perfect prediction.
        reaches_every_pixel: Whether the loss has a gradient at every labelled pixel.

    Example:
        ```python
        class TestMyLoss(LossContract):
            component = MyLoss(power=0.5)
        ```
    """

    component: ClassVar[Loss]
    spec: ClassVar[LossSpec] = LossSpec(5, (0,), (2431, 3390, 2328, 1838, 13))
    zero_at_perfection: ClassVar[bool] = True
    reaches_every_pixel: ClassVar[bool] = True

    def measure(self, labels: np.ndarray, logits: np.ndarray, spec: LossSpec | None = None) -> tuple[float, np.ndarray]:
        """Return the loss and its gradient with respect to the logits, after a check that both are finite."""
        value, gradient = measure(self.component, spec or self.spec, labels, logits)
        where = f"for logits up to ±{np.abs(logits).max():g}"
        assert np.isfinite(value), f"the loss is {value} {where}"
        wrong = np.count_nonzero(~np.isfinite(gradient))
        assert not wrong, f"{wrong} of {gradient.size} values of the gradient are not finite {where}"
        return value, gradient

    def value(self, labels: np.ndarray, logits: np.ndarray) -> float:
        return self.measure(labels, logits)[0]

    def sample(self, seed: int = 0, scale: float = 3.0) -> tuple[np.ndarray, np.ndarray]:
        """Return labels (2, 4, 6) uint8 with every class and void, and random logits (2, 4, 6, K) float32."""
        random = np.random.default_rng(seed)
        every_label = [*range(self.spec.num_classes), VOID]
        labels = random.permutation(np.resize(every_label, 48)).reshape(2, 4, 6).astype(np.uint8)
        return labels, (scale * random.standard_normal((2, 4, 6, self.spec.num_classes))).astype(np.float32)

    def counted(self, labels: np.ndarray) -> np.ndarray:
        """Return which pixels are neither void nor of an ignored class, (B, H, W) bool."""
        return np.isin(labels, counted_classes(self.spec))

    def certain(self, labels: np.ndarray, shift: int = 0) -> np.ndarray:
        """Return logits of ±1 for the true class of each pixel; with a `shift`, for another class that counts."""
        classes = np.array(counted_classes(self.spec))
        known = np.where(self.counted(labels), labels, classes[0])
        predicted = classes[(np.searchsorted(classes, known) + shift) % len(classes)]
        return np.where(predicted[..., None] == np.arange(self.spec.num_classes), 1, -1).astype(np.float32)

    def test_it_is_a_scalar_in_float32(self) -> None:
        labels, logits = self.sample()
        function, targets = build_loss(self.component, self.spec, labels)
        value = function(ops.convert_to_tensor(labels), ops.convert_to_tensor(logits), *targets)
        assert tuple(value.shape) == (), f"it returns an array of shape {tuple(value.shape)}, not a scalar"
        dtype = keras.backend.standardize_dtype(value.dtype)
        assert dtype == "float32", f"it returns {dtype}, not float32"

    @pytest.mark.parametrize("kind", LABELS)
    def test_it_is_finite_on_any_labels_and_logits(self, kind: str) -> None:
        labels, logits = self.sample()
        labels = LABELS[kind](labels, self.spec)
        right, wrong = self.certain(labels), self.certain(labels, shift=1)
        for tested in (logits, *(scale * each for scale in SCALES for each in (right, wrong))):
            self.measure(labels, tested.astype(np.float32))

    def test_it_is_finite_if_the_training_subset_lacks_a_class(self) -> None:
        labels, logits = self.sample()
        last = counted_classes(self.spec)[-1]
        frequencies = tuple(0 if c == last else n for c, n in enumerate(self.spec.class_frequencies))
        self.measure(labels, logits, dataclasses.replace(self.spec, class_frequencies=frequencies))

    def test_it_works_for_other_numbers_of_classes_and_shapes(self) -> None:
        """Check it for three classes and one image of 5 by 7 pixels; all other checks use `spec` and 4 by 6 pixels."""
        spec = LossSpec(3, (), (40, 7, 23))
        random = np.random.default_rng(0)
        labels = random.permutation(np.resize([0, 1, 2, VOID], 35)).reshape(1, 5, 7).astype(np.uint8)
        logits = (3 * random.standard_normal((1, 5, 7, 3))).astype(np.float32)
        try:
            self.component.build(spec)
        except (RequestError, ValueError) as refusal:
            pytest.skip(f"its parameters do not fit: {refusal}")
        where = "for 3 classes and one image of 5 by 7 pixels"
        try:
            function, targets = build_loss(self.component, spec, labels)
            shape = tuple(function(ops.convert_to_tensor(labels), ops.convert_to_tensor(logits), *targets).shape)
        except Exception as cause:
            message = f"it fails {where}: take both numbers from `spec` and the arrays: {type(cause).__name__}: {cause}"
            raise AssertionError(message) from cause
        assert shape == (), f"it returns an array of shape {shape}, not a scalar, {where}"
        _, gradient = self.measure(labels, logits, spec)
        assert gradient.shape == logits.shape, f"the shape of its gradient is {gradient.shape} {where}"
        assert (gradient[labels == VOID] == 0).all(), f"void pixels have a gradient {where}"

    @pytest.mark.parametrize("dtype", ["int32", "int64", "float32"])
    def test_labels_can_be_of_any_numeric_type(self, dtype: str) -> None:
        """Check it because the input pipeline of marsseg passes uint8, and a model compiled by Keras float32."""
        labels, logits = self.sample()
        value, expected = self.value(labels.astype(dtype), logits), self.value(labels, logits)
        assert value == pytest.approx(expected, rel=1e-6), (
            f"it is {value} for labels of {dtype}, but {expected} for uint8: cast the labels to an integer type first"
        )

    def test_half_precision_logits_are_cast_to_float32(self) -> None:
        labels, logits = self.sample()
        for dtype in ("float16", "bfloat16"):
            half = ops.cast(logits, dtype)
            with precision(f"mixed_{dtype}"):
                value, _ = measure(self.component, self.spec, labels, half)
            expected, _ = measure(self.component, self.spec, labels, ops.cast(half, "float32"))
            assert value == pytest.approx(expected, rel=1e-6), (
                f"it is {value} for logits of {dtype}, but {expected} for float32: cast the logits to float32 first"
            )

    @pytest.mark.parametrize("kind", LABELS)
    def test_the_gradient_is_exactly_zero_where_no_pixel_counts(self, kind: str) -> None:
        labels, logits = self.sample()
        labels = LABELS[kind](labels, self.spec)
        _, gradient = self.measure(labels, logits)
        reached = (gradient != 0).any(axis=-1) & ~self.counted(labels)
        assert not reached.any(), (
            f"{reached.sum()} pixels that are void or of an ignored class have a gradient: "
            f"leave out the labels {VOID} and those in spec.ignore_classes"
        )

    def test_labelled_pixels_have_a_gradient(self) -> None:
        labels, logits = self.sample()
        reached = (self.measure(labels, logits)[1] != 0).any(axis=-1)[self.counted(labels)]
        assert reached.any(), "no labelled pixel has a gradient"
        if self.reaches_every_pixel:
            assert reached.all(), (
                f"{np.count_nonzero(~reached)} of {reached.size} labelled pixels have no gradient: if this is "
                "intended, set reaches_every_pixel = False in the test class"
            )

    def test_the_logits_of_ignored_pixels_change_nothing(self) -> None:
        labels, logits = self.sample()
        uncounted = ~self.counted(labels)
        value, gradient = self.measure(labels, logits)
        for new_logits in (0, 1e4 * np.sign(logits[uncounted])):
            logits[uncounted] = new_logits
            again, gradient_again = self.measure(labels, logits)
            assert again == pytest.approx(value, rel=1e-6), "logits of void and ignored pixels change the loss"
            what = "logits of void and ignored pixels change the gradient"
            assert_same(gradient_again, gradient, what, rtol=1e-5, atol=1e-8)

    def test_pixels_of_a_class_count_if_it_is_not_ignored(self) -> None:
        if not self.spec.ignore_classes:
            pytest.skip("the spec of the test class ignores no class")
        labels, logits = self.sample()
        gradient = self.measure(labels, logits, dataclasses.replace(self.spec, ignore_classes=()))[1]
        assert (gradient[np.isin(labels, self.spec.ignore_classes)] != 0).any(), (
            f"with ignore_classes=(), pixels of the classes {self.spec.ignore_classes} have no gradient"
        )
        assert (gradient[labels == VOID] == 0).all(), "with ignore_classes=(), void pixels have a gradient"

    def test_the_gradient_agrees_with_finite_differences(self) -> None:
        labels, logits = self.sample(scale=1.0)
        value, gradient = self.measure(labels, logits)
        random = np.random.default_rng(1)
        steepest = gradient / (np.sqrt(np.mean(gradient**2)) + 1e-12)
        step = np.float32(5e-4)  # small: losses that sort pixels have kinks
        for direction in (steepest, *random.standard_normal((3, *logits.shape))):
            ahead, behind = (self.value(labels, logits + sign * step * direction.astype("float32")) for sign in (1, -1))
            slope = (ahead - behind) / (2 * float(step))
            expected = pytest.approx(slope, rel=0.02, abs=5e-4 * max(1, abs(value)))
            assert (gradient * direction).sum() == expected, "the gradient differs from finite differences"

    def test_following_the_gradient_lowers_the_loss(self) -> None:
        labels, logits = self.sample()
        value, gradient = self.measure(labels, logits)
        assert (gradient != 0).any(), "the gradient is 0 everywhere"
        after = self.value(labels, logits - 0.05 * gradient / np.abs(gradient).max())
        assert after < value, f"a step against the gradient changes the loss from {value} to {after}: it must fall"

    def test_it_is_negative_only_if_may_be_negative_is_true(self) -> None:
        if self.component.may_be_negative:
            pytest.skip("it may be negative: may_be_negative is True")
        for seed in range(8):
            labels, logits = self.sample(seed, scale=10.0 ** (seed % 4 - 1))
            assert self.value(labels, logits) >= 0, "it is negative, but may_be_negative is False"
        perfect = self.value(labels, 1e4 * self.certain(labels))
        assert perfect >= 0, f"it is {perfect} for a perfect prediction, but may_be_negative is False"

    @pytest.mark.parametrize("kind", LABELS)
    def test_a_perfect_prediction_costs_nothing(self, kind: str) -> None:
        if not self.zero_at_perfection:
            pytest.skip("it need not be 0 for a perfect prediction: zero_at_perfection is False")
        labels = LABELS[kind](self.sample()[0], self.spec)
        value = self.value(labels, 1e4 * self.certain(labels))
        assert value == pytest.approx(0, abs=1e-6), f"it is {value} for a perfect prediction, not 0"

    def test_a_wrong_prediction_costs_more_than_a_perfect_one(self) -> None:
        labels, _ = self.sample()
        right, wrong = (self.value(labels, 1e4 * self.certain(labels, shift)) for shift in (0, 1))
        assert right < wrong, f"it is {wrong} for a wrong prediction, {right} for a perfect one: wrong must be higher"

    @pytest.mark.parametrize("axis", [0, 1, 2], ids=["images", "rows", "columns"])
    def test_flipping_labels_and_logits_together_changes_nothing(self, axis: int) -> None:
        labels, logits = self.sample()
        value, gradient = self.measure(labels, logits)
        flipped, flipped_gradient = self.measure(np.flip(labels, axis).copy(), np.flip(logits, axis).copy())
        assert flipped == pytest.approx(value, rel=1e-5), (
            f"it is {flipped} for flipped labels and logits, but {value} before"
        )
        what = "the gradient for flipped labels and logits"
        assert_same(np.flip(flipped_gradient, axis), gradient, what, rtol=1e-3, atol=1e-6)

    def test_the_targets_of_a_mask_do_not_depend_on_its_batch(self) -> None:
        targets = self.component.targets(self.spec)
        if targets is None:
            pytest.skip("it has no targets")
        masks, _ = self.sample()
        before = masks.copy()
        together = targets(masks)
        assert_same(masks, before, "`targets` changes the masks that are passed to it")
        assert len(together) == len(masks), f"`targets` returns {len(together)} targets for {len(masks)} masks"
        assert_same(targets(masks), together, "the targets of a second call with the same masks")
        for i in range(len(masks)):
            assert_same(
                targets(masks[i : i + 1])[0],
                together[i],
                "the targets of a mask depend on the other masks of its batch",
            )
        for kind, change in LABELS.items():
            finite = np.isfinite(targets(change(masks, self.spec))).all()
            assert finite, f"its targets have values that are not finite for these labels: {kind}"

    def test_it_trains_in_a_compiled_step(self) -> None:
        """Check a training step as in a run: with labels, logits, targets and images, compiled by the backend."""
        labels, _ = self.sample()
        images = np.eye(VOID + 1, dtype="float32")[labels][..., : self.spec.num_classes]
        keras.utils.set_random_seed(1)
        image = keras.Input(images.shape[1:])
        network = keras.Model(image, keras.layers.Conv2D(self.spec.num_classes, 1)(image))
        targets = self.component.targets(self.spec)
        named = {} if targets is None else {"loss": targets}
        weighting = WeightingLayer(WeightingSpec(("loss",), (1.0,)))
        task = SegmentationTask(
            network,
            {"loss": self.component.build(self.spec)},
            weighting,
            self.spec.ignore_classes,
            with_images=("loss",) if self.component.wants_images else (),
        )
        task.compile(optimizer=keras.optimizers.Adam(0.1))
        choose_compiler(task)
        expected, _ = measure(self.component, self.spec, labels, ops.convert_to_numpy(network(images)), images)
        losses = []
        for _ in range(10):
            task.reset_metrics()
            losses.append(task.train_on_batch(images, with_targets(labels, named), return_dict=True)["loss"])
        first, last = float(losses[0]), float(losses[-1])
        assert first == pytest.approx(expected, rel=1e-4, abs=1e-6), (
            f"it is {first} in a compiled step, but {expected} otherwise"
        )
        assert last < first, f"10 training steps of a convolution did not lower it: {first} before, {last} after"

    @pytest.mark.slow
    def test_it_is_the_same_on_the_other_backend(self, tmp_path: Path) -> None:
        """Check it in another process, because Keras can have only one backend in a process."""
        other = other_backend()
        labels, logits = self.sample()
        np.savez(tmp_path / "inputs.npz", labels=labels, logits=logits)
        cls = type(self.component)
        values = {name: to_toml(value) for name, value in settings(self.component).items()}
        numbers = {name: value for name, value in dataclasses.asdict(self.spec).items() if not callable(value)}
        texts = [json.dumps(each) for each in (values, numbers)]
        files = [str(tmp_path / name) for name in ("inputs.npz", "outputs.npz")]
        run_on_backend(other, ON_THE_OTHER_BACKEND, cls.__module__, cls.__qualname__, *texts, *files)
        value, gradient = self.measure(labels, logits)
        with np.load(files[1]) as results:
            assert_same(results["value"], value, f"the loss on {other}", rtol=1e-4, atol=1e-6)
            assert_same(results["gradient"], gradient, f"the gradient on {other}", rtol=1e-3, atol=1e-6)


def counted_classes(spec: LossSpec) -> list[int]:
    """Return the classes that are not ignored."""
    return [c for c in range(spec.num_classes) if c not in spec.ignore_classes]


def build_loss(
    component: Loss, spec: LossSpec, labels: np.ndarray, images: np.ndarray | None = None
) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """Return the loss function, and its arguments after labels and logits: the targets, if it has some.

    A loss that wants images gets `images` (B, H, W, C); if they are None, grey ones with as many channels as classes.
    """
    target_function = component.targets(spec)
    targets = () if target_function is None else (ops.convert_to_tensor(target_function(labels.astype(np.uint8))),)
    function: Any = component.build(spec)
    assert callable(function), f"`build` returns {function!r}, not a function of labels and logits"
    if component.wants_images:
        grey = np.full((*labels.shape, spec.num_classes), 0.5, np.float32)
        function = partial(function, images=ops.convert_to_tensor(grey if images is None else images))
    return function, targets


def measure(
    component: Loss, spec: LossSpec, labels: np.ndarray, logits: np.ndarray, images: np.ndarray | None = None
) -> tuple[float, np.ndarray]:
    """Return the loss for labels (B, H, W) and logits (B, H, W, K), and its gradient with respect to the logits."""
    function, targets = build_loss(component, spec, labels, images)
    tensor = ops.convert_to_tensor(labels)
    value, gradient = value_and_gradient(lambda point: function(tensor, point, *targets), ops.convert_to_tensor(logits))
    return float(value), np.asarray(ops.convert_to_numpy(gradient))
