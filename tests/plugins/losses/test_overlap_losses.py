"""Focal, overlap and Lovász losses against independent formulas in NumPy.

What every loss keeps to is in the contract (test_contract_losses.py).
"""

from __future__ import annotations

from itertools import pairwise

import keras
import numpy as np
import pytest
from helpers.loss_cases import CLASSES, FREQUENCIES, SPEC, VOID, counted, labels_and_logits, sample, value
from hypothesis import given, settings, strategies as st
from hypothesis.extra import numpy as hnp
from keras import ops

import marsseg_core
from marsseg_core.errors import RequestError
from marsseg_plugins.losses.class_weights import class_weights
from marsseg_plugins.losses.dice import Dice
from marsseg_plugins.losses.focal import Focal
from marsseg_plugins.losses.focal_tversky import FocalTversky
from marsseg_plugins.losses.gdice import GDice
from marsseg_plugins.losses.lovasz import Lovasz
from marsseg_plugins.losses.overlap import smooth_power
from marsseg_plugins.losses.ssce import SSCE
from marsseg_plugins.losses.tversky import Tversky
from marsseg_plugins.losses.wssce import WSSCE

WEIGHTS = (9.0, 0.5, 1.0, 2.0, 4.0)

LOSSES = {
    "focal": Focal(),
    "focal 0.5": Focal(gamma=0.5, weights="balanced"),
    "dice": Dice(),
    "dice smooth": Dice(smooth=1.0, weights=WEIGHTS),
    "gdice": GDice(),
    "gdice 1": GDice(power=1.0),
    "tversky": Tversky(),
    "tversky list": Tversky(weights=WEIGHTS, smooth=0.5),
    "focal_tversky": FocalTversky(),
    "focal_tversky 0.5": FocalTversky(gamma=0.5, weights="inverse"),
    "lovasz": Lovasz(),
    "lovasz list": Lovasz(weights=WEIGHTS),
}
each_loss = pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
# Their values are in [0, 1].
distances = pytest.mark.parametrize("loss", [loss for loss in LOSSES.values() if not isinstance(loss, Focal)])

few = settings(max_examples=15)


def saturated(labels, shift=0) -> np.ndarray:
    """Return logits of ±1e4 for the true class, or for another class if `shift` is not 0; class 1 at other pixels."""
    known = np.where(counted(labels), labels, 1)
    prediction = (known.astype(int) - 1 + shift) % (CLASSES - 1) + 1
    return np.where(prediction[..., None] == np.arange(CLASSES), 1e4, -1e4).astype(np.float32)


# --- the formulas, pixel by pixel and class by class in float64


def labelled_pixels(labels, logits) -> tuple[np.ndarray, np.ndarray]:
    """Return the true classes (N,) and the softmax (N, K) of the labelled pixels."""
    chosen = counted(labels)
    z = logits[chosen].astype(np.float64)
    e = np.exp(z - z.max(axis=-1, keepdims=True, initial=-np.inf))
    return labels[chosen].astype(int), e / e.sum(axis=-1, keepdims=True)


def mean_by_class(labels, logits, distance, weights) -> float:
    """Return the weighted mean of distance(g (N,) of 0 and 1, p (N,)) over the classes present."""
    y, p = labelled_pixels(labels, logits)
    actual = [(weights[c], distance((y == c).astype(float), p[:, c])) for c in range(1, CLASSES) if (y == c).any()]
    return sum(w * d for w, d in actual) / sum(w for w, _ in actual) if actual else 0.0


def focal_by_hand(labels, logits, gamma, weights) -> float:
    y, p = labelled_pixels(labels, logits)
    if not y.size:
        return 0.0
    right = p[np.arange(len(y)), y]
    others = np.where(np.arange(CLASSES) == y[:, None], 0, p).sum(axis=-1)
    w = np.asarray(weights)[y]
    return (w * others**gamma * -np.log(right)).sum() / w.sum()


def gdice_by_hand(labels, logits, power) -> float:
    y, p = labelled_pixels(labels, logits)
    if not y.size:
        return 0.0
    counts = {c: (y == c).sum() for c in range(1, CLASSES)}
    largest = max(1 / n**power for n in counts.values() if n)
    w = {c: 1 / n**power if n else largest for c, n in counts.items()}
    both = sum(w[c] * (p[:, c] * (y == c)).sum() for c in w)
    return 1 - 2 * both / sum(w[c] * (p[:, c] + (y == c)).sum() for c in w)


def lovasz_by_hand(g, p) -> float:
    """Sum the errors times the growth of 1 − IoU; IoU is computed from sets of pixels at each step."""
    errors = np.abs(g - p)
    total, before, wrong = 0.0, 0.0, set()
    truth = set(np.flatnonzero(g))
    for pixel in np.argsort(-errors, kind="stable"):
        wrong.add(int(pixel))
        jaccard = 1 - len(truth - wrong) / len(truth | wrong)
        total += errors[pixel] * (jaccard - before)
        before = jaccard
    return total


def close(number) -> object:
    return pytest.approx(number, rel=1e-4, abs=1e-5)


@few
@given(labels_and_logits, st.sampled_from([0.0, 0.5, 1.0, 2.0, 3.5]))
def test_focal_by_hand(sample, gamma):
    assert value(Focal(gamma=gamma, weights=WEIGHTS), *sample) == close(focal_by_hand(*sample, gamma, WEIGHTS))
    assert value(Focal(gamma=gamma), *sample) == close(focal_by_hand(*sample, gamma, [1] * CLASSES))


def test_without_focus_focal_is_cross_entropy():
    labels, logits = sample()
    assert value(Focal(gamma=0), labels, logits) == close(value(SSCE(), labels, logits))
    assert value(Focal(gamma=0, weights=WEIGHTS), labels, logits) == close(
        value(WSSCE(weights=WEIGHTS), labels, logits)
    )


@few
@given(labels_and_logits, st.sampled_from([0.0, 1.0, 10.0]))
def test_dice_by_hand(sample, smooth):
    def distance(g, p):
        return 1 - (2 * (p * g).sum() + smooth) / (p.sum() + g.sum() + smooth)

    assert value(Dice(smooth=smooth), *sample) == close(mean_by_class(*sample, distance, [1] * CLASSES))
    assert value(Dice(smooth=smooth, weights=WEIGHTS), *sample) == close(mean_by_class(*sample, distance, WEIGHTS))


@few
@given(labels_and_logits, st.sampled_from([0.0, 1.0, 2.0]))
def test_gdice_by_hand(sample, power):
    assert value(GDice(power=power), *sample) == close(gdice_by_hand(*sample, power))


@few
@given(
    labels_and_logits,
    st.floats(0.1, 1),
    st.floats(0.1, 1),
    st.sampled_from([0.0, 2.0]),
    st.sampled_from([0.5, 1.0, 4 / 3]),
)
def test_tversky_and_its_focal_form_by_hand(sample, alpha, beta, smooth, gamma):
    def distance(g, p):
        hits = (p * g).sum()
        return 1 - (hits + smooth) / (hits + alpha * (p * (1 - g)).sum() + beta * ((1 - p) * g).sum() + smooth)

    settings = {"false_positives": alpha, "false_negatives": beta, "smooth": smooth, "weights": WEIGHTS}
    assert value(Tversky(**settings), *sample) == close(mean_by_class(*sample, distance, WEIGHTS))
    expected = mean_by_class(*sample, lambda g, p: max(distance(g, p), 0) ** (1 / gamma), WEIGHTS)
    # The difference in the float64 formula loses tiny distances, and a root makes them large.
    assert value(FocalTversky(gamma=gamma, **settings), *sample) == pytest.approx(expected, rel=1e-4, abs=1e-4)


def test_tversky_includes_dice_and_the_jaccard_distance():
    labels, logits = sample()
    both = Tversky(false_positives=0.5, false_negatives=0.5)
    assert value(both, labels, logits) == close(value(Dice(), labels, logits))
    assert value(FocalTversky(gamma=1.0), labels, logits) == close(value(Tversky(), labels, logits))

    def jaccard(g, p):
        return 1 - (p * g).sum() / (p + g - p * g).sum()

    expected = mean_by_class(labels, logits, jaccard, [1] * CLASSES)
    assert value(Tversky(false_positives=1.0, false_negatives=1.0), labels, logits) == close(expected)


@pytest.mark.parametrize("kind", [Tversky, FocalTversky])
def test_two_rates_of_0_are_refused(kind):
    """The loss would be 0 for all predictions."""
    with pytest.raises(ValueError, match="both 0"):
        kind(false_positives=0.0, false_negatives=0.0)
    kind(false_positives=0.0)


def test_false_negatives_cost_by_default_more_than_false_positives():
    labels = np.array([[[1, 1, 1, 2, 2, 2]]], np.uint8)
    missed, predicted_too_often = saturated(labels), saturated(labels)
    missed[0, 0, 0] = saturated(np.array(2))
    predicted_too_often[0, 0, 5] = saturated(np.array(1))
    only_first = Tversky(weights=(0, 1, 0, 0, 0))
    assert value(only_first, labels, missed) == close(0.7 / (2 + 0.7))
    assert value(only_first, labels, predicted_too_often) == close(0.3 / (3 + 0.3))


@few
@given(labels_and_logits)
def test_lovasz_by_hand(sample):
    assert value(Lovasz(), *sample) == close(mean_by_class(*sample, lovasz_by_hand, [1] * CLASSES))
    assert value(Lovasz(weights=WEIGHTS), *sample) == close(mean_by_class(*sample, lovasz_by_hand, WEIGHTS))


def test_lovasz_of_every_second_row_and_column():
    rng = np.random.default_rng(0)
    sample = rng.integers(0, CLASSES, (2, 5, 6)), rng.normal(size=(2, 5, 6, CLASSES)).astype("float32")
    thinned = [array[:, ::2, ::2] for array in sample]
    assert value(Lovasz(stride=2), *sample) == value(Lovasz(), *thinned) != value(Lovasz(), *sample)


@given(
    hnp.arrays(np.uint8, (2, 3, 4), elements=st.sampled_from([0, 1, 2, 3, 4, VOID])),
    hnp.arrays(np.uint8, (2, 3, 4), elements=st.integers(0, CLASSES - 1)),
)
@few
def test_on_hard_predictions_lovasz_is_one_minus_iou(labels, prediction):
    logits = np.where(prediction[..., None] == np.arange(CLASSES), 1e4, -1e4).astype(np.float32)
    chosen = counted(labels)
    distances = []
    for c in range(1, CLASSES):
        true, predicted = labels[chosen] == c, prediction[chosen] == c
        if true.any():
            distances.append(1 - (true & predicted).sum() / (true | predicted).sum())
    assert value(Lovasz(), labels, logits) == pytest.approx(np.mean(distances) if distances else 0, abs=1e-6)


def test_smooth_power_is_linear_near_zero_and_exact_elsewhere():
    x = np.array([0, 1e-8, 1e-7, 1e-6, 0.25, 1], np.float32)
    actual = ops.convert_to_numpy(smooth_power(ops.convert_to_tensor(x), 0.5))
    np.testing.assert_allclose(actual, [0, 1e-8 * 1e-7**-0.5, 1e-7**0.5, 1e-3, 0.5, 1], rtol=1e-5)
    assert all(a < b for a, b in pairwise(actual))


# --- at the edges


@distances
@few
@given(drawn=labels_and_logits)
def test_losses_are_at_most_one(loss, drawn):
    assert 0 <= value(loss, *drawn) <= 1 + 1e-6


@each_loss
def test_a_right_prediction_has_loss_0_and_a_wrong_one_the_largest_loss(loss):
    labels, _ = sample()
    right, wrong = saturated(labels), saturated(labels, shift=1)
    assert value(loss, labels, right) == 0
    actual = value(loss, labels, wrong)
    if isinstance(loss, Focal):
        assert actual == close(2e4)
    elif getattr(loss, "smooth", 0) == 0:
        assert actual == close(1)


@each_loss
def test_more_ignored_pixels_change_nothing(loss):
    labels, logits = sample()
    more = np.concatenate([labels, np.full_like(labels, VOID)], axis=2)
    assert value(loss, more, np.concatenate([logits, logits], axis=2)) == close(value(loss, labels, logits))


def test_the_mean_is_over_the_classes_present():
    """Class 1 is right, class 2 wrong, 3 and 4 are absent: the mean is of two classes."""
    labels = np.array([[[1, 1, 2, 2]]], np.uint8)
    logits = saturated(np.array([[[1, 1, 3, 3]]], np.uint8))
    for loss in (Dice(), Tversky(), FocalTversky(), Lovasz()):
        assert value(loss, labels, logits) == close(0.5)
    assert value(Dice(weights=(0, 1, 3, 50, 50)), labels, logits) == close(0.75)


def test_gdice_makes_the_absent_class_cost_as_much_as_the_rarest():
    labels = np.array([[[1, 1, 1, 1, 2, 2]]], np.uint8)
    logits = saturated(np.array([[[1, 1, 1, 3, 2, 2]]], np.uint8))
    hits, both = 3 / 16 + 2 / 4, 7 / 16 + 4 / 4 + 1 / 4
    assert value(GDice(), labels, logits) == close(1 - 2 * hits / both)


def test_weights_come_from_the_training_part():
    labels, logits = sample()
    actual = class_weights(SPEC, "balanced", cap=3.0, count="all", beta=0.9)
    for kind in (Focal, Dice, Tversky, FocalTversky, Lovasz):
        by_rule = kind(weights="balanced", cap=3.0, count="all")
        assert value(by_rule, labels, logits) == close(value(kind(weights=tuple(actual.tolist())), labels, logits))
    with pytest.raises(RequestError, match=r"beta=1\.0 is not valid: expected below 1"):
        marsseg_core.plan(loss=Dice(beta=1.0))


# --- by name


@pytest.mark.parametrize("name", ["focal", "dice", "gdice", "tversky", "focal_tversky", "lovasz"])
def test_a_loss_by_name_trains_a_keras_model(name):
    """Compiled, with labels as float32, void among them."""
    keras.utils.set_random_seed(0)
    labels, _ = sample(shape=(4, 6, 8))
    images = np.eye(CLASSES, dtype=np.float32)[np.where(labels == VOID, 0, labels)]
    model = keras.Sequential([keras.layers.Input((6, 8, CLASSES)), keras.layers.Conv2D(CLASSES, 1)])
    model.compile(keras.optimizers.Adam(0.1), loss=marsseg_core.loss(name, class_frequencies=FREQUENCIES))
    history = model.fit(images, labels, batch_size=4, epochs=15, verbose=0).history["loss"]
    assert history[-1] < 0.8 * history[0]
