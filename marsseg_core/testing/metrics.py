"""The contract of a metric, to inherit in a test:

    class TestMine(MetricContract):
        component = Mine(beta=2)

Its images are small scenes of four classes, of which the first is ignored, with void among them.
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
    """What every metric keeps to; a subclass sets `component`."""

    component: ClassVar[Metric]
    spec: ClassVar[MetricSpec] = MetricSpec(num_classes=4, ignore_classes=(0,))

    def scenes(self, seed: int = 0, images: int = 3) -> tuple[np.ndarray, np.ndarray]:
        """Masks and predictions (N, 20, 24) uint8: patches of all classes, a predicted third of them wrong."""
        random = np.random.default_rng(seed)
        masks = random.integers(0, self.spec.num_classes, (images, 5, 6)).astype(np.uint8)
        masks[:, 0, : self.spec.num_classes] = np.arange(self.spec.num_classes)
        wrong = random.integers(0, self.spec.num_classes, masks.shape).astype(np.uint8)
        predictions = np.where(random.random(masks.shape) < 1 / 3, wrong, masks)
        large = [np.kron(patches, np.ones((4, 4), np.uint8)) for patches in (masks, predictions)]
        large[0][:, 7:9, 3:15] = VOID
        return large[0], self.decoded(large[1])

    def decoded(self, predictions: np.ndarray) -> np.ndarray:
        """What a network would say: a class that counts, unless the metric lets it say any."""
        if self.component.all_classes:
            return predictions
        return np.where(np.isin(predictions, self.spec.counted), predictions, self.spec.counted[0]).astype(np.uint8)

    def counts(
        self,
        masks: Sequence[np.ndarray] | np.ndarray,
        predictions: Sequence[np.ndarray] | np.ndarray,
        spec: MetricSpec | None = None,
    ) -> np.ndarray:
        """What the metric is given of some images."""
        spec = spec or self.spec
        pairs = list(zip(masks, predictions, strict=True))
        if self.component.needs_predictions:
            found = [self.component.count(mask, said, spec) for mask, said in pairs]
        else:
            found = [confusion_matrix(mask, said, spec.num_classes) for mask, said in pairs]
        counts: np.ndarray = np.sum(found, axis=0)
        return counts

    def values_of(self, counts: np.ndarray, spec: MetricSpec | None = None) -> list[float]:
        """The metric's value, then those of the classes that count."""
        spec = spec or self.spec
        found = [float(self.component.value(counts, spec))]
        if self.component.per_class:
            values = self.component.values(counts, spec)
            assert np.shape(values) == (spec.num_classes,), f"`values` gives {np.shape(values)}, not one for each class"
            found += [float(values[c]) for c in spec.counted]
        return found

    def test_its_row_of_the_table_is_filled(self) -> None:
        cls = type(self.component)
        assert cls.label, "it has no `label`: what tables and pages call it"
        assert cls.explanation, "it has no `explanation`: the sentence below it on a page"
        least, greatest = cls.bounds
        assert least < greatest, f"its bounds are {cls.bounds}: the least value, then the greatest"

    def test_its_values_are_within_its_bounds(self) -> None:
        least, greatest = self.component.bounds
        for seed in range(10):
            for value in self.values_of(self.counts(*self.scenes(seed))):
                assert math.isnan(value) or least - _ROUNDING <= value <= greatest + _ROUNDING, (
                    f"a value is {value}, outside of its bounds {self.component.bounds}"
                )

    def test_a_perfect_prediction_has_the_best_value(self) -> None:
        best = self.component.bounds[1 if self.component.higher_is_better else 0]
        masks, _ = self.scenes()
        perfect = self.decoded(np.where(masks == VOID, self.spec.counted[-1], masks).astype(np.uint8))
        found = self.values_of(self.counts(masks, perfect))
        assert_same(found, np.full(len(found), best), "of a perfect prediction", atol=_ROUNDING)

    def test_a_worse_prediction_is_not_better(self) -> None:
        """Which way is better is as `higher_is_better` says."""
        masks, some = self.scenes(images=6)
        shifted = self.decoded(((masks.astype(int) + 1) % self.spec.num_classes).astype(np.uint8))
        better, worse = (self.values_of(self.counts(masks, said))[0] for said in (some, shifted))
        assert (better > worse) == self.component.higher_is_better, (
            f"a third of the patches wrong gives {better}, all wrong {worse}: is `higher_is_better` right?"
        )

    def test_images_add_up_to_the_whole(self) -> None:
        masks, predictions = self.scenes(images=5)
        whole = self.values_of(self.counts(masks, predictions))
        pieces = self.counts(masks[:2], predictions[:2]) + self.counts(masks[2:], predictions[2:])
        assert_same(self.values_of(pieces), whole, "of two halves that are added", rtol=_ROUNDING)
        backwards = self.values_of(self.counts(masks[::-1], predictions[::-1]))
        assert_same(backwards, whole, "of the images in another order", rtol=_ROUNDING)

    def test_void_never_counts(self) -> None:
        masks, predictions = self.scenes()
        before = self.values_of(self.counts(masks, predictions))
        for c in self.spec.counted:
            other = np.where(masks == VOID, c, predictions).astype(np.uint8)
            found = self.values_of(self.counts(masks, other))
            assert_same(found, before, f"where {c} is predicted on void pixels")
        beside = [np.full_like(masks[:1], VOID), predictions[:1]]
        counts = self.counts([*masks, *beside[0]], [*predictions, *beside[1]])
        assert_same(self.values_of(counts), before, "with an image of void alone beside them", rtol=_ROUNDING)

    def test_what_is_undefined_is_no_number(self) -> None:
        """Nothing labelled, or no image at all, is neither good nor bad."""
        void = np.full((1, 8, 8), VOID, np.uint8)
        found = self.values_of(self.counts(void, np.full_like(void, self.spec.counted[0])))
        assert all(map(math.isnan, found)), f"without a labelled pixel it says {found}, not NaN"

    def test_a_class_that_is_nowhere_has_no_value_and_changes_no_mean(self) -> None:
        if not self.component.per_class:
            pytest.skip("it has no values per class")
        absent = self.spec.counted[-1]
        masks, predictions = self.scenes()
        masks, predictions = (np.where(array == absent, self.spec.counted[0], array) for array in (masks, predictions))
        whole, *values = self.values_of(self.counts(masks, predictions))
        assert math.isnan(values[-1]), f"a class that is in neither truth nor prediction has {values[-1]}, not NaN"
        assert not math.isnan(whole), "a class that is nowhere makes the whole undefined"

    def test_the_numbers_of_the_classes_mean_nothing(self) -> None:
        masks, predictions = self.scenes()
        before = self.values_of(self.counts(masks, predictions))
        order = np.roll(np.arange(self.spec.num_classes), 1)
        renumbered = np.full(VOID + 1, VOID, np.uint8)
        renumbered[: self.spec.num_classes] = order
        spec = MetricSpec(self.spec.num_classes, tuple(int(order[c]) for c in self.spec.ignore_classes))
        whole, *values = self.values_of(self.counts(renumbered[masks], renumbered[predictions], spec), spec)
        by_class = dict(zip(spec.counted, values, strict=True)) if values else {}
        found = [whole, *(by_class[int(order[c])] for c in self.spec.counted if values)]
        assert_same(found, before, "with the classes numbered otherwise", rtol=_ROUNDING)

    def test_it_changes_nothing_that_it_is_given(self) -> None:
        masks, predictions = self.scenes()
        copies = masks.copy(), predictions.copy()
        counts = self.counts(masks, predictions)
        kept = counts.copy()
        self.values_of(counts)
        assert_same(counts, kept, "its counts, after they were read")
        assert_same(masks, copies[0], "the masks, after they were counted")
        assert_same(predictions, copies[1], "the predictions, after they were counted")
