"""The contract of a metric.

Its checks use small masks of four classes with void pixels; the first class is ignored.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import pytest

from ..components.interfaces import Metric
from ..components.specs import MetricSpec
from ..conventions import VOID
from ..evaluation.confusion import confusion_matrix
from .components import ComponentContract, assert_same

_ROUNDING = 1e-9


class MetricContract(ComponentContract):
    """Check a metric: bounds, best value, void pixels, undefined values, and counts that can be added.

    Attributes:
        component: The metric. A subclass must set it.
        spec: The classes of the data.

    Example:
        ```python
        class TestMyMetric(MetricContract):
            component = MyMetric(beta=2)
        ```
    """

    component: ClassVar[Metric]
    spec: ClassVar[MetricSpec] = MetricSpec(num_classes=4, ignore_classes=(0,))

    def scenes(self, seed: int = 0, images: int = 3) -> tuple[np.ndarray, np.ndarray]:
        """Return masks and predictions (N, 20, 24) uint8 of patches of all classes; a third is predicted at random."""
        random = np.random.default_rng(seed)
        masks = random.integers(0, self.spec.num_classes, (images, 5, 6)).astype(np.uint8)
        masks[:, 0, : self.spec.num_classes] = np.arange(self.spec.num_classes)
        wrong = random.integers(0, self.spec.num_classes, masks.shape).astype(np.uint8)
        predictions = np.where(random.random(masks.shape) < 1 / 3, wrong, masks)
        large = [np.kron(patches, np.ones((4, 4), np.uint8)) for patches in (masks, predictions)]
        large[0][:, 7:9, 3:15] = VOID
        return large[0], self.decoded(large[1])

    def decoded(self, predictions: np.ndarray) -> np.ndarray:
        """Replace predictions that the metric excludes: those of ignored classes, unless `all_classes` is True."""
        if self.component.all_classes:
            return predictions
        return np.where(np.isin(predictions, self.spec.counted), predictions, self.spec.counted[0]).astype(np.uint8)

    def counts(
        self,
        masks: Sequence[np.ndarray] | np.ndarray,
        predictions: Sequence[np.ndarray] | np.ndarray,
        spec: MetricSpec | None = None,
    ) -> np.ndarray:
        """Return the counts of some images, from which the metric computes its value."""
        spec = spec or self.spec
        pairs = list(zip(masks, predictions, strict=True))
        if self.component.needs_predictions:
            counts_of_images = [self.component.count(mask, prediction, spec) for mask, prediction in pairs]
        else:
            counts_of_images = [confusion_matrix(mask, prediction, spec.num_classes) for mask, prediction in pairs]
        counts: np.ndarray = np.sum(counts_of_images, axis=0)
        return counts

    def values_of(self, counts: np.ndarray, spec: MetricSpec | None = None) -> list[float]:
        """Return the value of the metric, followed by those of the classes that are not ignored."""
        spec = spec or self.spec
        values = [float(self.component.value(counts, spec))]
        if self.component.per_class:
            per_class = self.component.values(counts, spec)
            assert np.shape(per_class) == (spec.num_classes,), (
                f"`values` returns an array of shape {np.shape(per_class)}, not one value for each class"
            )
            values += [float(per_class[c]) for c in spec.counted]
        return values

    def test_its_label_explanation_and_bounds_are_set(self) -> None:
        cls = type(self.component)
        assert cls.label, "it has no `label`: set its name for tables and pages"
        assert cls.explanation, "it has no `explanation`: set a sentence that explains it on pages"
        lowest, highest = cls.bounds
        assert lowest < highest, f"its bounds are {cls.bounds}: set the lowest value, then the highest one"

    def test_its_values_are_within_its_bounds(self) -> None:
        lowest, highest = self.component.bounds
        for seed in range(10):
            for value in self.values_of(self.counts(*self.scenes(seed))):
                assert math.isnan(value) or lowest - _ROUNDING <= value <= highest + _ROUNDING, (
                    f"a value is {value}, outside `bounds`, {self.component.bounds}"
                )

    def test_a_perfect_prediction_has_the_best_value(self) -> None:
        best = self.component.bounds[1 if self.component.higher_is_better else 0]
        masks, _ = self.scenes()
        perfect = self.decoded(np.where(masks == VOID, self.spec.counted[-1], masks).astype(np.uint8))
        values = self.values_of(self.counts(masks, perfect))
        assert_same(values, np.full(len(values), best), "the values for a perfect prediction", atol=_ROUNDING)

    def test_a_worse_prediction_is_not_better(self) -> None:
        """Check that the values of two predictions agree with `higher_is_better`."""
        masks, predictions = self.scenes(images=6)
        all_wrong = self.decoded(((masks.astype(int) + 1) % self.spec.num_classes).astype(np.uint8))
        better, worse = (self.values_of(self.counts(masks, each))[0] for each in (predictions, all_wrong))
        assert (better > worse) == self.component.higher_is_better, (
            f"it is {better} if at most a third of the patches is wrong, {worse} if all are wrong: check "
            "`higher_is_better`"
        )

    def test_the_counts_of_images_can_be_added(self) -> None:
        masks, predictions = self.scenes(images=5)
        whole = self.values_of(self.counts(masks, predictions))
        pieces = self.counts(masks[:2], predictions[:2]) + self.counts(masks[2:], predictions[2:])
        assert_same(self.values_of(pieces), whole, "the values of the added counts of two halves", rtol=_ROUNDING)
        backwards = self.values_of(self.counts(masks[::-1], predictions[::-1]))
        assert_same(backwards, whole, "the values for the images in reversed order", rtol=_ROUNDING)

    def test_void_pixels_never_count(self) -> None:
        masks, predictions = self.scenes()
        before = self.values_of(self.counts(masks, predictions))
        for c in self.spec.counted:
            other = np.where(masks == VOID, c, predictions).astype(np.uint8)
            values = self.values_of(self.counts(masks, other))
            assert_same(values, before, f"the values if class {c} is predicted on void pixels")
        void_mask = np.full_like(masks[0], VOID)
        counts = self.counts([*masks, void_mask], [*predictions, predictions[0]])
        assert_same(self.values_of(counts), before, "the values with an additional image of void only", rtol=_ROUNDING)

    def test_undefined_values_are_nan(self) -> None:
        """Check that all values are NaN if no pixel is labelled."""
        void = np.full((1, 8, 8), VOID, np.uint8)
        values = self.values_of(self.counts(void, np.full_like(void, self.spec.counted[0])))
        assert all(map(math.isnan, values)), f"without a labelled pixel the values are {values}, not NaN"

    def test_an_absent_class_is_nan_and_left_out_of_the_mean(self) -> None:
        if not self.component.per_class:
            pytest.skip("it has no values per class")
        absent = self.spec.counted[-1]
        masks, predictions = self.scenes()
        masks, predictions = (np.where(array == absent, self.spec.counted[0], array) for array in (masks, predictions))
        mean, *values = self.values_of(self.counts(masks, predictions))
        assert math.isnan(values[-1]), (
            f"the value of a class that is neither in truth nor in prediction is {values[-1]}, not NaN"
        )
        assert not math.isnan(mean), (
            "a class that is neither in truth nor in prediction makes `value` NaN: leave this class out"
        )

    def test_the_order_of_the_classes_does_not_matter(self) -> None:
        masks, predictions = self.scenes()
        before = self.values_of(self.counts(masks, predictions))
        order = np.roll(np.arange(self.spec.num_classes), 1)
        renumbered = np.full(VOID + 1, VOID, np.uint8)
        renumbered[: self.spec.num_classes] = order
        spec = MetricSpec(self.spec.num_classes, tuple(int(order[c]) for c in self.spec.ignore_classes))
        value, *values = self.values_of(self.counts(renumbered[masks], renumbered[predictions], spec), spec)
        by_class = dict(zip(spec.counted, values, strict=True)) if values else {}
        after = [value, *(by_class[int(order[c])] for c in self.spec.counted if values)]
        assert_same(after, before, "the values with the classes in another order", rtol=_ROUNDING)

    def test_it_does_not_change_its_arguments(self) -> None:
        masks, predictions = self.scenes()
        copies = masks.copy(), predictions.copy()
        counts = self.counts(masks, predictions)
        counts_before = counts.copy()
        self.values_of(counts)
        assert_same(counts, counts_before, "the counts after a call of `value` and `values`")
        assert_same(masks, copies[0], "the masks after a call of `count`")
        assert_same(predictions, copies[1], "the predictions after a call of `count`")
