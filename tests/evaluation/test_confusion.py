"""Compare the metrics of the confusion matrix with cases computed by hand."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra import numpy as hnp

from marsseg_core.errors import RequestError, RunError
from marsseg_core.evaluation.confusion import Confusion, confusion_matrix, decode, iou_per_class

MARS = ("background", "soil", "bedrock", "sand", "big_rock")
VOID = 255


def logits_of(prediction, classes: int, second=None) -> np.ndarray:
    """Logits whose best class is `prediction` and whose second best is `second`."""
    prediction = np.asarray(prediction)
    second = prediction if second is None else np.asarray(second)
    ids = np.arange(classes)
    return 2.0 * (prediction[..., None] == ids) + 1.0 * (second[..., None] == ids)


def confusion(truth, prediction, *, second=None, classes=3, ignore_classes=(0,)) -> Confusion:
    """Count images of one row of pixels each; `truth` and `prediction` are nested lists (images, pixels)."""
    truth = np.asarray(truth, np.uint8)[:, None]
    logits = logits_of(
        np.asarray(prediction)[:, None], classes, None if second is None else np.asarray(second)[:, None]
    )
    result = Confusion([f"class {c}" for c in range(classes)], ignore_classes)
    result.update(truth, logits)
    return result


def test_rows_are_the_truth_and_columns_the_prediction():
    matrix = confusion_matrix(np.array([1, 1, 2, 0]), np.array([1, 2, 2, 1]), 3)
    assert matrix.tolist() == [[0, 1, 0], [0, 1, 1], [0, 0, 1]]


def test_iou_is_intersection_over_union():
    # soil: 1 right, 1 missed, 1 too many; rock: 1 right, 0 missed, 1 too many; class 3 is nowhere
    matrix = np.array([[0, 1, 0, 0], [0, 1, 1, 0], [0, 0, 1, 0], [0, 0, 0, 0]])
    np.testing.assert_array_equal(iou_per_class(matrix), [0, 1 / 3, 1 / 2, np.nan])


def test_a_predicted_background_pixel_adds_an_iou_of_0_to_miou_an2dl():
    """As in Keras' MeanIoU; the mean over the classes 1 and 2 alone would be 0.75."""
    result = confusion([[1, 1, 2, 2]], [[0, 1, 2, 2]], second=[[1, 1, 2, 2]])
    assert iou_per_class(result.unrestricted).tolist() == [0, 0.5, 1]
    assert result.miou_all == 0.75
    assert result.miou_an2dl == 0.5
    assert result.miou == 1.0  # the best class that counts was right


def test_decoding_over_the_classes_that_count_takes_the_second_best_class():
    result = confusion([[1, 1, 2, 2]], [[0, 1, 2, 2]], second=[[2, 1, 2, 2]])
    assert result.iou.tolist()[1:] == [1 / 2, 2 / 3]
    assert result.miou == pytest.approx((1 / 2 + 2 / 3) / 2)
    assert result.accuracy == 3 / 4


def test_one_pixel_predicted_as_background_multiplies_the_courses_score_by_four_fifths():
    """0.90485 → 0.72388."""
    pixels, wrong = 200_000, 9_990  # of each class; the wrong ones are predicted as the next class: IoU 0.90485
    truth = np.repeat([1, 2, 3, 4], pixels)
    prediction = np.where(np.arange(truth.size) % pixels < wrong, truth % 4 + 1, truth)
    before = confusion([truth], [prediction], classes=5)
    prediction[-1] = 0
    after = confusion([truth], [prediction], second=[truth], classes=5)
    assert round(before.miou_an2dl, 5) == 0.90485
    assert round(after.miou_an2dl, 5) == 0.72388
    assert after.miou == before.miou  # does not change


def test_pixels_of_ignored_classes_count_only_in_miou_all():
    result = confusion([[0, 0, 1, 2]], [[1, 2, 1, 2]])
    assert (result.miou, result.miou_an2dl, result.accuracy) == (1, 1, 1)
    assert result.support.tolist() == [0, 1, 1]
    assert result.miou_all == 0.5  # each class has one pixel right and one of background too many


def test_void_pixels_count_nowhere():
    without = confusion([[1, 2]], [[1, 1]])
    with_void = confusion([[1, 2, VOID, VOID]], [[1, 1, 0, 2]])
    assert with_void.to_json() == without.to_json()


def test_a_class_absent_from_truth_and_prediction_is_undefined_and_left_out_of_means():
    result = confusion([[1, 1, 2, 2]], [[1, 2, 2, 2]], classes=5)
    assert np.isnan(result.iou).tolist() == [True, False, False, True, True]
    expected = (1 / 2 + 2 / 3) / 2
    assert result.miou == result.miou_an2dl == result.miou_all == expected
    assert result.support.tolist() == [0, 2, 2, 0, 0]


def test_a_class_that_is_only_predicted_is_in_miou_an2dl_but_not_in_miou():
    result = confusion([[1, 1, 2, 2]], [[1, 3, 2, 2]], classes=4)
    assert result.iou.tolist()[1:] == [0.5, 1, 0]
    assert result.miou == 0.75  # the mean over the classes with support
    assert result.miou_an2dl == 0.5


def test_miou_per_image_is_the_mean_of_the_images_own_scores():
    # first image: soil 1/2, rock 0/1; second: soil 1; third: all background, so no score
    result = confusion([[1, 1, 2], [1, 1, 1], [0, 0, VOID]], [[1, 2, 1], [1, 1, 1], [1, 1, 1]])
    first = (1 / 3 + 0) / 2
    np.testing.assert_array_equal(result.per_image, [first, 1, np.nan])
    assert result.miou_per_image == (first + 1) / 2
    # together: soil 4 right of 4 + 1 missed + 1 too many; rock never right
    assert result.miou == pytest.approx((4 / 6 + 0) / 2)


def test_without_a_labelled_pixel_every_score_is_undefined_and_none_in_json():
    result = confusion([[0, VOID]], [[1, 2]])
    assert math.isnan(result.miou)
    assert math.isnan(result.miou_an2dl)
    assert math.isnan(result.miou_per_image)
    assert math.isnan(result.accuracy)
    written = result.to_json()
    assert [written[name] for name in ("miou", "miou_an2dl", "miou_per_image", "accuracy")] == [None] * 4
    assert written["iou"] == {"class 1": None, "class 2": None}


def test_without_an_image_every_score_is_undefined():
    assert math.isnan(Confusion(MARS, (0,)).miou)
    assert Confusion(MARS, (0,)).to_json()["images"] == 0


def test_without_ignored_classes_both_decodings_agree():
    result = confusion([[0, 1, 2, 2]], [[0, 1, 2, 0]], ignore_classes=())
    assert result.restricted.tolist() == result.unrestricted.tolist()
    assert result.iou.tolist() == [1 / 2, 1, 1 / 2]
    assert result.miou == result.miou_an2dl == result.miou_all == pytest.approx(2 / 3)


def test_decode_never_returns_an_ignored_class():
    logits = np.random.default_rng(0).normal(size=(4, 5, 6, 5))
    assert set(np.unique(decode(logits))) == {0, 1, 2, 3, 4}
    assert set(np.unique(decode(logits, (0, 3)))) == {1, 2, 4}
    np.testing.assert_array_equal(decode(logits, (0,)), 1 + logits[..., 1:].argmax(-1))


def test_json_has_every_score_under_its_own_name():
    result = confusion([[1, 1, 2, 2]], [[1, 1, 2, 1]])
    written = json.loads(json.dumps(result.to_json(), allow_nan=False))
    assert written == {
        "images": 1,
        "miou": result.miou,
        "miou_an2dl": result.miou_an2dl,
        "miou_all": result.miou_all,
        "miou_per_image": result.miou_per_image,
        "accuracy": 0.75,
        "iou": {"class 1": 2 / 3, "class 2": 1 / 2},
        "support": {"class 1": 2, "class 2": 2},
        "confusion": [[0, 0, 0], [0, 2, 0], [0, 1, 1]],
    }


# --- wrong arguments


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_logits_that_are_not_finite_are_refused(value):
    """Otherwise NaN would be decoded as class 1, the first one that counts, and could score 1.0."""
    result = Confusion(MARS, (0,))
    truth = np.ones((2, 1, 4), np.uint8)
    logits = logits_of(truth, 5)
    logits[1, 0, 2, 3] = value
    with pytest.raises(RunError, match=rf"The network predicts {value} for image 1: .* finite"):
        result.update(truth, logits)
    assert result.to_json()["images"] == 0


@pytest.mark.parametrize("wrong", [-1, 5, 7, 254, 1.5, np.nan])
def test_a_label_that_is_not_a_class_is_named_in_the_error(wrong):
    """Otherwise it would be counted as another pair of classes."""
    truth = np.array([[[1, 1, wrong]]])
    with pytest.raises(RequestError, match=rf"A label is {wrong}(\.0)?; the classes are 0 to 4"):
        Confusion(MARS, (0,)).update(truth, np.zeros((1, 1, 3, 5)))
    with pytest.raises(RequestError, match="the classes are 0 to 4"):
        confusion_matrix(truth, np.zeros((1, 1, 3), int), 5)


@pytest.mark.parametrize("wrong", [-1, 5, VOID])
def test_a_prediction_that_is_not_a_class_is_named_in_the_error_if_its_pixel_counts(wrong):
    with pytest.raises(RequestError, match=str(wrong)):
        confusion_matrix(np.array([1, 2]), np.array([1, wrong]), 5)
    assert confusion_matrix(np.array([1, VOID]), np.array([1, wrong]), 5).sum() == 1


@pytest.mark.parametrize(
    ("truth", "logits", "message"),
    [
        (np.zeros((4, 6)), np.zeros((4, 6, 5)), r"are not \(B, H, W\) and \(B, H, W, 5\)"),
        (np.zeros((2, 4, 6)), np.zeros((2, 4, 6, 3)), r"are not \(B, H, W\) and"),
        (np.zeros((2, 4, 6)), np.zeros((2, 6, 4, 5)), r"are not \(B, H, W\) and"),
        (np.zeros((2, 4, 6)), np.zeros((3, 4, 6, 5)), r"are not \(B, H, W\) and"),
        (np.zeros((2, 4, 6), bool), np.zeros((2, 4, 6, 5)), r"Labels must be class ids \(numbers\), not bool"),
        (np.zeros((2, 4, 6)), np.zeros((2, 4, 6, 5), bool), "Logits must be of a type such as float32, not bool"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(truth, logits, message):
    with pytest.raises(RequestError, match=message):
        Confusion(MARS, (0,)).update(truth, logits)


@pytest.mark.parametrize("dtype", ["int64", "float32", "float64"])
def test_whole_numbers_of_any_type_are_labels(dtype):
    truth = np.array([[[0, 1, 2, VOID]]])
    result, expected = Confusion(MARS, (0,)), Confusion(MARS, (0,))
    result.update(truth.astype(dtype), logits_of(np.ones((1, 1, 4)), 5))
    expected.update(truth.astype(np.uint8), logits_of(np.ones((1, 1, 4)), 5))
    assert result.to_json() == expected.to_json()


def test_ignoring_a_missing_class_or_all_classes_is_refused():
    with pytest.raises(RequestError, match="There is no class 7 to ignore; the classes are 0 to 4"):
        Confusion(MARS, (7,))
    with pytest.raises(RequestError, match="All classes are ignored"):
        Confusion(MARS, range(5))


def test_predictions_of_another_shape_are_refused():
    with pytest.raises(RequestError, match=r"Labels of shape \(3,\) do not fit predictions of shape \(1,\)"):
        confusion_matrix(np.array([1, 1, 1]), np.array([1]), 5)


labels = hnp.arrays(np.uint8, (6, 3, 4), elements=st.sampled_from([0, 1, 2, 3, 4, VOID]))
predictions = hnp.arrays(np.uint8, (6, 3, 4), elements=st.integers(0, 4))


@given(labels, predictions, predictions, st.integers(1, 6))
def test_several_batches_have_the_same_scores_as_one_batch(truth, first, second, size):
    logits = logits_of(first, 5, second)
    whole, pieces = Confusion(MARS, (0,)), Confusion(MARS, (0,))
    whole.update(truth, logits)
    for start in range(0, 6, size):
        pieces.update(truth[start : start + size], logits[start : start + size])
    assert pieces.to_json() == whole.to_json()


@given(labels, predictions)
def test_scores_equal_those_from_counting_sets_of_pixels(truth, prediction):
    result = Confusion(MARS, (0,))
    result.update(truth, logits_of(prediction, 5))
    restricted = decode(logits_of(prediction, 5), (0,))
    counted = (truth != 0) & (truth != VOID)
    ious = {}
    for c in range(1, 5):
        true, predicted = counted & (truth == c), counted & (restricted == c)
        if true.any():
            ious[c] = (true & predicted).sum() / (true | predicted).sum()
            assert result.iou[c] == ious[c]
    assert result.support.tolist() == [0] + [int((truth == c).sum()) for c in range(1, 5)]
    if ious:
        assert result.miou == pytest.approx(np.mean(list(ious.values())), rel=1e-12)
        assert result.accuracy == (restricted == truth)[counted].mean()
    else:
        assert math.isnan(result.miou)


@given(labels)
def test_a_perfect_prediction_scores_one(truth):
    result = Confusion(MARS, (0,))
    result.update(truth, logits_of(np.where(truth == VOID, 0, truth), 5))
    assert result.miou == 1 or math.isnan(result.miou)
    assert math.isnan(result.miou) == (not np.isin(truth, [1, 2, 3, 4]).any())


def test_the_scores_per_class_are_computed_once_for_all_classes(monkeypatch):
    calls = []
    name = f"{Confusion.__module__}.iou_per_class"
    monkeypatch.setattr(name, lambda matrix: calls.append(matrix) or iou_per_class(matrix))
    for classes in (3, 30):
        calls.clear()
        made = Confusion([f"c{number}" for number in range(classes)], ())
        made.to_json()
        repr(made)
        assert len(calls) == 2
