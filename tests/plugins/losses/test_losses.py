"""Cross-entropy and class weights against independent formulas in NumPy.

What every loss keeps to is in the contract (test_contract_losses.py).
"""

from __future__ import annotations

import keras
import numpy as np
import pytest
from helpers.loss_cases import CLASSES, FREQUENCIES, SPEC, VOID, counted, labels_and_logits, sample, value
from hypothesis import given, settings, strategies as st

import marsseg_core
from marsseg_core.components.specs import LossSpec
from marsseg_plugins.losses.class_weights import class_weights
from marsseg_plugins.losses.ssce import SSCE
from marsseg_plugins.losses.wssce import WSSCE

LOSSES = {
    "ssce": SSCE(),
    "wssce": WSSCE(),
    "wssce pixels": WSSCE(count="all", normalise="pixels"),
    "wssce inverse": WSSCE(weights="inverse", cap=None),
    "wssce effective": WSSCE(weights="effective"),
    "wssce list": WSSCE(weights=(9.0, 0.5, 1.0, 2.0, 4.0)),
}
each_loss = pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)

few = settings(max_examples=40)


def cross_entropy(labels, logits) -> np.ndarray:
    """Return −log softmax(logits)[label] in float64, with 0 for void."""
    logits = np.asarray(logits, np.float64)
    shifted = logits - logits.max(axis=-1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    known = np.where(labels == VOID, 0, labels).astype(int)
    return -np.take_along_axis(log_p, known[..., None], axis=-1)[..., 0]


# --- the formulas


@few
@given(labels_and_logits)
def test_ssce_is_the_mean_over_the_labelled_pixels(sample):
    labels, logits = sample
    pixels = cross_entropy(labels, logits)[counted(labels)]
    assert value(SSCE(), labels, logits) == pytest.approx(pixels.mean() if pixels.size else 0, rel=1e-5, abs=1e-5)


WEIGHTS = np.array([0, 0.5, 1.0, 2.0, 4.0])


@few
@given(labels_and_logits, st.sampled_from(["weights", "pixels"]))
def test_wssce_is_the_weighted_sum_divided_by_the_weights_or_by_all_pixels(sample, normalise):
    labels, logits = sample
    weight = np.where(counted(labels), WEIGHTS[np.where(labels == VOID, 0, labels)], 0)
    divisor = labels.size if normalise == "pixels" else weight.sum() or 1
    expected = (weight * cross_entropy(labels, logits)).sum() / divisor
    loss = WSSCE(weights=tuple(WEIGHTS), normalise=normalise)
    assert value(loss, labels, logits) == pytest.approx(expected, rel=1e-5, abs=1e-5)


def test_with_equal_weights_wssce_is_ssce():
    labels, logits = sample()
    assert value(WSSCE(weights=(3.0,) * CLASSES), labels, logits) == pytest.approx(
        value(SSCE(), labels, logits), rel=1e-6
    )


def test_without_ignored_classes_background_counts():
    labels, logits = sample()
    labels[labels == VOID] = 0
    spec = LossSpec(CLASSES, (), FREQUENCIES)
    expected = cross_entropy(labels, logits).mean()
    assert value(SSCE(), labels, logits, spec) == pytest.approx(expected, rel=1e-5)


# --- class weights


def weights(rule="balanced", *, cap=None, count="labelled", beta=0.999999, spec=SPEC) -> np.ndarray:
    return class_weights(spec, rule, cap=cap, count=count, beta=beta)


REPORT_WEIGHTS = [0, 0.5935, 0.8366, 1.1097, 10]


def test_the_reports_class_weights_from_the_shares_of_its_training_part():
    """The weights are 1 / (5 · share), which gives the shares. The weight of big rock was 153.94 before the cap."""
    shares = [1 / (5 * weight) for weight in (0.5935, 0.8366, 1.1097, 153.94)]
    counts = [round(1e9 * share) for share in (1 - sum(shares), *shares)]
    actual = weights(cap=10.0, count="all", spec=LossSpec(CLASSES, (0,), tuple(counts)))
    np.testing.assert_allclose(actual, REPORT_WEIGHTS, atol=1e-4)
    assert weights(count="all", spec=LossSpec(CLASSES, (0,), tuple(counts)))[4] == pytest.approx(153.94, abs=0.01)


def test_the_shares_of_the_whole_course_set_give_nearly_the_reports_weights():
    """The report's training subset differs a little from the whole set: 24.31, 33.90, 23.28, 18.38, 0.131 %."""
    spec = LossSpec(CLASSES, (0,), (24_310, 33_900, 23_280, 18_380, 131))
    np.testing.assert_allclose(weights(cap=10.0, count="all", spec=spec), REPORT_WEIGHTS, rtol=0.03)


def test_balanced_weights_by_hand():
    spec = LossSpec(3, (0,), (100, 60, 20))
    np.testing.assert_allclose(weights(spec=spec), [0, 80 / (2 * 60), 80 / (2 * 20)])
    np.testing.assert_allclose(weights(count="all", spec=spec), [0, 180 / (3 * 60), 180 / (3 * 20)])
    np.testing.assert_allclose(weights(cap=1.5, spec=spec), [0, 80 / (2 * 60), 1.5], rtol=1e-6)


def test_inverse_and_effective_weights_by_hand():
    spec = LossSpec(3, (0,), (100, 60, 20))
    np.testing.assert_allclose(weights("inverse", spec=spec), [0, 0.5, 1.5])
    raw = np.array([1 / (1 - 0.9**60), 1 / (1 - 0.9**20)])
    np.testing.assert_allclose(weights("effective", beta=0.9, spec=spec), [0, *(raw / raw.mean())], rtol=1e-6)


def test_effective_numbers_go_from_equal_to_inverse():
    spec = LossSpec(3, (0,), (100, 60, 20))
    np.testing.assert_allclose(weights("effective", beta=1e-9, spec=spec), [0, 1, 1], rtol=1e-6)
    np.testing.assert_allclose(
        weights("effective", beta=1 - 1e-12, spec=spec), weights("inverse", spec=spec), rtol=1e-3
    )


@pytest.mark.parametrize("rule", ["inverse", "effective"])
def test_the_cap_is_a_ratio_to_the_most_frequent_class(rule):
    """Of weights with mean 1 over four classes, none can be above 4: a cap of 10 on them would have no effect."""
    spec = LossSpec(5, (0,), (24_310_000, 33_900_000, 23_280_000, 18_380_000, 131_000))
    free = weights(rule, spec=spec, beta=1 - 1e-9)
    assert free.max() < 4
    assert free.max() / free[1] == pytest.approx(33_900 / 131, rel=0.03)
    capped = weights(rule, cap=10.0, spec=spec, beta=1 - 1e-9)
    assert capped[4] == pytest.approx(10 * capped[1], rel=1e-6)
    np.testing.assert_allclose(capped[1:4] / capped[1], free[1:4] / free[1], rtol=1e-6)
    assert capped[1:].mean() == pytest.approx(1, rel=1e-6)


@pytest.mark.parametrize("rule", ["inverse", "effective"])
def test_a_cap_below_the_most_frequent_class_is_refused(rule):
    with pytest.raises(ValueError, match=r"cap=0\.5 is below 1"):
        WSSCE(weights=rule, cap=0.5)
    WSSCE(weights="balanced", cap=0.5)


def test_class_weights_that_are_all_0_are_refused():
    with pytest.raises(ValueError, match="all 0"):
        WSSCE(weights=(0.0,) * CLASSES)
    only_ignored = WSSCE(weights=(1.0, 0, 0, 0, 0))
    with pytest.raises(ValueError, match="0 for all classes that occur and are not ignored"):
        only_ignored.build(SPEC)
    only_absent = WSSCE(weights=(0.0, 0, 0, 0, 1))
    only_absent.build(SPEC)
    with pytest.raises(ValueError, match="0 for all classes that occur and are not ignored"):
        only_absent.build(LossSpec(CLASSES, (0,), (1, 1, 1, 1, 0)))


@pytest.mark.parametrize("rule", ["balanced", "inverse", "effective"])
def test_a_class_that_never_occurs_takes_the_largest_weight(rule):
    actual = weights(rule, spec=LossSpec(4, (0,), (10, 50, 20, 0)))
    assert actual[3] == actual[2] == actual.max()
    assert actual[0] == 0


@pytest.mark.parametrize("rule", ["balanced", "inverse", "effective"])
def test_without_a_labelled_pixel_all_classes_that_are_not_ignored_have_the_same_weight(rule):
    assert weights(rule, spec=LossSpec(3, (0,), (10, 0, 0))).tolist() == [0, 1, 1]


def test_a_list_of_weights_is_used_except_for_ignored_classes():
    assert weights((9.0, 1.0, 2.0, 3.0, 4.0), cap=1.0).tolist() == [0, 1, 2, 3, 4]
    with pytest.raises(ValueError, match="2 class weights do not fit 5 classes"):
        weights((1.0, 2.0))


@given(st.lists(st.integers(0, 10**9), min_size=CLASSES, max_size=CLASSES), st.sampled_from(["labelled", "all"]))
def test_weights_are_finite_capped_and_larger_for_rarer_classes(counts, count):
    spec = LossSpec(CLASSES, (0,), tuple(counts))
    for rule in ("balanced", "inverse", "effective"):
        actual = weights(rule, cap=10.0, count=count, spec=spec)
        assert np.isfinite(actual).all()
        assert actual[0] == 0
        assert (actual[1:] > 0).all()
        largest = actual.max() if rule == "balanced" else actual[1:].max() / actual[1:].min()
        assert largest <= 10 * (1 + 1e-6)
        by_frequency = [actual[c] for c in sorted(range(1, CLASSES), key=lambda c: counts[c]) if counts[c]]
        assert by_frequency == sorted(by_frequency, reverse=True)


# --- at the edges


@each_loss
def test_saturated_logits_have_a_loss_of_0_or_a_large_loss(loss):
    labels, _ = sample()
    known = np.where(counted(labels), labels, 1)
    right = np.where(known[..., None] == np.arange(CLASSES), 1e4, -1e4).astype(np.float32)
    assert value(loss, labels, right) == 0
    assert 100 < value(loss, labels, -right) < 1e6


# --- in Keras


@pytest.mark.parametrize("name", ["ssce", "wssce", "wssce:normalise=pixels"])
def test_a_loss_by_name_trains_a_keras_model(name):
    """`compile` passes labels as float32, including void."""
    keras.utils.set_random_seed(0)
    labels, _ = sample(shape=(4, 6, 8))
    images = np.where(labels[..., None] == VOID, 0, labels[..., None]).astype(np.float32)
    model = keras.Sequential([keras.layers.Input((6, 8, 1)), keras.layers.Conv2D(16, 1, activation="relu")])
    model.add(keras.layers.Conv2D(CLASSES, 1))
    function = marsseg_core.loss(name, class_frequencies=FREQUENCIES)
    model.compile(keras.optimizers.Adam(0.05), loss=function)
    expected = float(function(labels, model(images)))
    assert model.evaluate(images, labels, batch_size=4, verbose=0) == pytest.approx(expected, rel=1e-5)
    history = model.fit(images, labels, batch_size=4, epochs=30, verbose=0).history["loss"]
    assert history[-1] < 0.8 * history[0]
