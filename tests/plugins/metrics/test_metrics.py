"""Compare each metric with values computed by hand and by independent code."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra import numpy as hnp

from marsseg_core.components.specs import MetricSpec
from marsseg_core.evaluation.confusion import confusion_matrix
from marsseg_plugins.metrics.agreement import Accuracy, Kappa
from marsseg_plugins.metrics.boundaries import BoundaryF, BoundaryIoU
from marsseg_plugins.metrics.other_means import AllPixelsMeanIoU, CourseMeanIoU, MeanIoUPerImage
from marsseg_plugins.metrics.overlap import Dice, FrequencyWeightedIoU, MeanIoU
from marsseg_plugins.metrics.shares import Precision, Recall

VOID = 255
SPEC = MetricSpec(4, (0,))

# Class 1: 6 pixels right, 2 predicted as 2. Class 2: 1 right, 1 predicted as 1. Class 3 does not occur. The 5 pixels of
# class 0 are ignored for any prediction.
MATRIX = np.array([[0, 3, 2, 0], [0, 6, 2, 0], [0, 1, 1, 0], [0, 0, 0, 0]])


@pytest.mark.parametrize(
    ("metric", "value"),
    [
        (MeanIoU(), (6 / 9 + 1 / 4) / 2),
        (CourseMeanIoU(), (6 / 9 + 1 / 4) / 2),
        (AllPixelsMeanIoU(), (6 / 12 + 1 / 6) / 2),
        (Accuracy(), 7 / 10),
        (Dice(), (12 / 15 + 2 / 5) / 2),
        (Precision(), (6 / 7 + 1 / 3) / 2),
        (Recall(), (6 / 8 + 1 / 2) / 2),
        (FrequencyWeightedIoU(), 0.8 * 6 / 9 + 0.2 * 1 / 4),
        # by chance: 8/10 · 7/10 + 2/10 · 3/10 = 0.62
        (Kappa(), (0.7 - 0.62) / (1 - 0.62)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_of_a_confusion_matrix(metric, value):
    assert metric.value(MATRIX, SPEC) == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize(
    ("metric", "first", "second"),
    [
        (MeanIoU(), 6 / 9, 1 / 4),
        (Dice(), 12 / 15, 2 / 5),
        (Precision(), 6 / 7, 1 / 3),
        (Recall(), 6 / 8, 1 / 2),
    ],
    ids=lambda value: type(value).__name__,
)
def test_of_its_classes(metric, first, second):
    values = metric.values(MATRIX, SPEC)
    assert values[1:3].tolist() == pytest.approx([first, second], rel=1e-12)
    assert math.isnan(values[3])


def test_a_class_that_is_never_predicted_has_a_recall_and_no_precision():
    matrix = np.array([[0, 0, 0], [0, 4, 0], [0, 2, 0]])
    spec = MetricSpec(3, (0,))
    assert Recall().values(matrix, spec).tolist()[1:] == [1, 0]
    assert math.isnan(Precision().values(matrix, spec)[2])
    assert Precision().value(matrix, spec) == 4 / 6
    assert Recall().value(matrix, spec) == 1 / 2


def test_kappa_of_a_single_class_is_undefined_and_of_the_opposite_negative():
    assert math.isnan(Kappa().value(np.diag([0, 7, 0]), MetricSpec(3, (0,))))
    assert Kappa().value(np.array([[0, 5], [5, 0]]), MetricSpec(2)) == pytest.approx(-1)


def test_the_mean_per_image_is_that_of_the_images_that_have_one():
    masks = np.array([[[1, 1, 2, 2]], [[2, 2, 2, 2]], [[0, 0, VOID, VOID]]], np.uint8)
    prediction = np.array([[[1, 2, 2, 2]], [[2, 2, 1, 1]], [[1, 1, 1, 1]]], np.uint8)
    counts = sum(MeanIoUPerImage().count(*pair, SPEC) for pair in zip(masks, prediction, strict=True))
    assert MeanIoUPerImage().value(counts, SPEC) == pytest.approx(((1 / 2 + 2 / 3) / 2 + 1 / 2) / 2)


labels = hnp.arrays(np.uint8, (5, 7), elements=st.sampled_from([0, 1, 2, 3, VOID]))
predictions = hnp.arrays(np.uint8, (5, 7), elements=st.integers(1, 3))


@given(labels, predictions)
def test_equals_counts_of_sets_of_pixels(mask, prediction):
    matrix = confusion_matrix(mask, prediction, 4)
    counted = np.isin(mask, [1, 2, 3])
    dice, precision, recall, weighted, total = [], [], [], 0.0, int(counted.sum())
    for c in (1, 2, 3):
        true = {tuple(at) for at in np.argwhere(counted & (mask == c))}
        predicted = {tuple(at) for at in np.argwhere(counted & (prediction == c))}
        if true:
            dice.append(2 * len(true & predicted) / (len(true) + len(predicted)))
            recall.append(len(true & predicted) / len(true))
            weighted += len(true) / total * len(true & predicted) / len(true | predicted)
            if predicted:
                precision.append(len(true & predicted) / len(predicted))
    for metric, values in ((Dice(), dice), (Precision(), precision), (Recall(), recall)):
        expected = np.mean(values) if values else math.nan
        assert metric.value(matrix, SPEC) == pytest.approx(expected, nan_ok=True)
    assert FrequencyWeightedIoU().value(matrix, SPEC) == pytest.approx(weighted if total else math.nan, nan_ok=True)


# --- boundaries


def columns(*widths: tuple[int, int], height: int = 6) -> np.ndarray:
    """Return a mask (H, W) uint8 of vertical strips, each a pair (label, columns)."""
    row = np.concatenate([np.full(width, label, np.uint8) for label, width in widths])
    return np.tile(row, (height, 1))


def boundary_iou(mask, prediction, spec=SPEC, **options):
    metric = BoundaryIoU(**options)
    return metric.values(metric.count(mask, prediction, spec), spec)


def boundary_f(mask, prediction, spec=SPEC, **options):
    metric = BoundaryF(**options)
    return metric.values(metric.count(mask, prediction, spec), spec)


def test_boundary_iou_of_a_boundary_that_is_moved_by_a_column():
    """Rims of 2 columns: of class 1 columns 8, 9 and 9, 10 (1 of 3); of class 2 columns 10, 11 and 11, 12."""
    mask, prediction = columns((1, 10), (2, 10)), columns((1, 11), (2, 9))
    # the diagonal of 6 × 20 pixels is 20.9; a tenth of it is 2
    assert boundary_iou(mask, prediction, dilation=0.1)[1:3].tolist() == pytest.approx([1 / 3, 1 / 3])
    # one column wide, no pixel is in both
    assert boundary_iou(mask, prediction, dilation=0.02)[1:3].tolist() == [0, 0]


def test_the_rim_is_a_square_neighbourhood_as_by_erosion():
    """A single pixel of class 2 has a rim of itself; around it the rim of class 1 are the 8 pixels beside it."""
    mask = np.ones((9, 9), np.uint8)
    mask[4, 4] = 2
    counts = BoundaryIoU(dilation=0.02).count(mask, mask, SPEC)
    assert counts[:, 2].tolist() == [0, 8, 1, 0]
    assert BoundaryIoU(dilation=0.15).count(mask, mask, SPEC)[:, 2].tolist() == [0, 24, 1, 0]  # 2 pixels of 12.7


@given(labels, predictions, st.sampled_from([0.02, 0.2, 0.4]))
def test_boundary_iou_equals_a_comparison_of_all_pairs_of_pixels(mask, prediction, dilation):
    width = max(1, round(dilation * math.hypot(5, 7)))
    places = [at for at in np.ndindex(mask.shape) if mask[at] in (1, 2, 3)]

    def rim(classes, c):
        return {
            at
            for at in places
            if classes[at] == c
            and any(classes[to] != c and max(abs(at[0] - to[0]), abs(at[1] - to[1])) <= width for to in places)
        }

    actual = boundary_iou(mask, prediction, dilation=dilation)
    for c in (1, 2, 3):
        true, predicted = rim(mask, c), rim(prediction, c)
        expected = len(true & predicted) / len(true | predicted) if true | predicted else math.nan
        assert actual[c] == pytest.approx(expected, nan_ok=True)


@given(labels, predictions, st.sampled_from([0, 1, 1.5, 3]))
def test_boundary_f_equals_a_comparison_of_all_pairs_of_pixels(mask, prediction, tolerance):
    places = [at for at in np.ndindex(mask.shape) if mask[at] in (1, 2, 3)]

    def contour(classes, c):
        beside = [(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1)]
        return [
            at
            for at in places
            if classes[at] == c
            and any((to := (at[0] + i, at[1] + j)) in places and classes[to] != c for i, j in beside)
        ]

    def share(of, near):
        return np.mean([min(math.dist(at, to) for to in near) <= tolerance for at in of])

    actual = boundary_f(mask, prediction, tolerance=float(tolerance))
    for c in (1, 2, 3):
        true, predicted = contour(mask, c), contour(prediction, c)
        expected = math.nan
        if true or predicted:
            expected = 0.0
        if true and predicted and (both := share(predicted, true) + share(true, predicted)):
            expected = 2 * share(predicted, true) * share(true, predicted) / both
        assert actual[c] == pytest.approx(expected, nan_ok=True)


def test_boundary_f_forgives_within_its_tolerance():
    mask, prediction = columns((1, 10), (2, 10)), columns((1, 12), (2, 8))
    assert boundary_f(mask, prediction, tolerance=1.0)[1:3].tolist() == [0, 0]
    assert boundary_f(mask, prediction, tolerance=2.0)[1:3].tolist() == [1, 1]


def test_boundary_f_is_the_mean_over_images():
    mask, far = columns((1, 10), (2, 10)), columns((1, 15), (2, 5))
    metric = BoundaryF()
    counts = metric.count(mask, mask, SPEC) + metric.count(mask, far, SPEC)
    assert metric.value(counts, SPEC) == 1 / 2


@pytest.mark.parametrize("score", [boundary_iou, boundary_f])
class TestWhatIsNoEvidence:
    def test_the_edge_of_the_annotation(self, score):
        """Pixels of one class with void or ignored pixels around them have no boundary."""
        for label in (VOID, 0):
            mask = columns((label, 5), (1, 10), (label, 5))
            assert np.isnan(score(mask, np.ones_like(mask))).all()

    def test_the_edge_of_the_image(self, score):
        mask = columns((1, 20))
        assert np.isnan(score(mask, mask)).all()

    def test_what_is_predicted_on_void(self, score):
        """A predicted boundary between void and labelled pixels, or within void, is not counted."""
        mask = columns((1, 10), (VOID, 6), (2, 10))
        prediction = columns((1, 10), (3, 3), (1, 3), (2, 10))
        with_void = score(mask, prediction)
        without = score(mask, columns((1, 16), (2, 10)))
        np.testing.assert_array_equal(with_void, without)

    def test_the_mean_is_over_the_classes_with_a_boundary_in_the_truth(self, score):
        mask, prediction = columns((1, 10), (2, 10)), columns((1, 10), (2, 5), (3, 5))
        metric = {boundary_iou: BoundaryIoU(), boundary_f: BoundaryF()}[score]
        values = metric.values(metric.count(mask, prediction, SPEC), SPEC)
        assert values[3] == 0
        assert metric.value(metric.count(mask, prediction, SPEC), SPEC) == pytest.approx(values[1:3].mean())
