"""Losses that wrong labels affect less, and label smoothing, against independent formulas in NumPy.

What every loss keeps to is in the contract (test_contract_losses.py).
"""

from __future__ import annotations

import numpy as np
import pytest
from helpers.loss_cases import CLASSES, FREQUENCIES, SPEC, counted, labels_and_logits, sample, value
from hypothesis import given, settings, strategies as st
from keras import ops

from marsseg_core.components.specs import LossSpec
from marsseg_plugins.losses.cross_entropy import pixel_cross_entropy, smoothed_cross_entropy, valid_pixels
from marsseg_plugins.losses.gce import GCE
from marsseg_plugins.losses.sce import SCE
from marsseg_plugins.losses.ssce import SSCE
from marsseg_plugins.losses.wssce import WSSCE

WEIGHTS = (9.0, 0.5, 1.0, 2.0, 4.0)

few = settings(max_examples=12)


def labelled(labels, logits) -> tuple[np.ndarray, np.ndarray]:
    """Return the labels (N,) and −log softmax (N, K) in float64 of the labelled pixels."""
    chosen = counted(labels)
    z = logits[chosen].astype(np.float64)
    z -= z.max(axis=-1, keepdims=True, initial=-np.inf)
    return labels[chosen].astype(int), np.log(np.exp(z).sum(axis=-1, keepdims=True)) - z


def mean(y, values, weights=(1,) * CLASSES):
    w = np.asarray(weights, float)[y]
    return pytest.approx((w * values).sum() / w.sum() if y.size else 0, rel=1e-4, abs=1e-5)


@few
@given(labels_and_logits, st.sampled_from([(0.1, 1.0, -4.0), (6.0, 0.1, -4.0), (0.0, 1.0, -2.0)]))
def test_sce_is_the_sum_of_both_cross_entropies(sample, constants):
    alpha, beta, log_zero = constants
    y, costs = labelled(*sample)
    one_hot = y[:, None] == np.arange(CLASSES)
    reverse = -(np.exp(-costs) * np.where(one_hot, 0, log_zero)).sum(axis=-1)
    values = alpha * (costs * one_hot).sum(axis=-1) + beta * reverse
    loss = {"alpha": alpha, "reverse": beta, "log_zero": log_zero}
    assert value(SCE(**loss), *sample) == mean(y, values)
    assert value(SCE(**loss, weights=WEIGHTS), *sample) == mean(y, values, WEIGHTS)


def test_sce_of_two_factors_of_0_is_refused():
    with pytest.raises(ValueError, match="both 0"):
        SCE(alpha=0, reverse=0)


@few
@given(labels_and_logits, st.sampled_from([0.1, 0.7, 1.0]))
def test_gce_by_hand(sample, q):
    y, costs = labelled(*sample)
    values = (1 - np.exp(-costs[np.arange(len(y)), y]) ** q) / q
    assert value(GCE(q=q), *sample) == mean(y, values)
    assert value(GCE(q=q, weights=WEIGHTS), *sample) == mean(y, values, WEIGHTS)


def test_gce_of_small_q_is_cross_entropy():
    labels, logits = sample()
    assert value(GCE(q=1e-6), labels, logits) == pytest.approx(value(SSCE(), labels, logits), rel=1e-4)


def test_a_pixel_that_is_wrong_for_certain_costs_a_bounded_amount():
    labels, _ = sample()
    wrong = np.where(((labels.astype(int) % 4) + 1)[..., None] == np.arange(CLASSES), 1e4, -1e4).astype(np.float32)
    assert value(GCE(q=0.5), labels, wrong) == pytest.approx(2)
    assert value(SCE(alpha=0), labels, wrong) == pytest.approx(4)


@few
@given(labels_and_logits, st.sampled_from([0.1, 0.5]))
def test_smoothing_spreads_a_label_over_the_classes_that_count(sample, s):
    y, costs = labelled(*sample)
    target = (1 - s) * (y[:, None] == np.arange(CLASSES)) + s * np.array([0, 1, 1, 1, 1]) / 4
    values = (target * costs).sum(axis=-1)
    assert value(SSCE(smoothing=s), *sample) == mean(y, values)
    assert value(WSSCE(smoothing=s, weights=WEIGHTS), *sample) == mean(y, values, WEIGHTS)


def test_smoothing_over_a_single_class_changes_nothing():
    labels, logits = sample()
    spec = LossSpec(CLASSES, (0, 1, 2, 3), FREQUENCIES)
    assert value(SSCE(smoothing=0.3), labels, logits, spec) == pytest.approx(value(SSCE(), labels, logits, spec))


def test_without_smoothing_the_bits_are_those_of_the_formula_without_it():
    labels, logits = map(ops.convert_to_tensor, sample())
    valid = valid_pixels(labels, SPEC.ignore_classes)
    np.testing.assert_array_equal(
        smoothed_cross_entropy(labels, logits, valid, SPEC, 0.0), pixel_cross_entropy(labels, logits, valid)
    )
