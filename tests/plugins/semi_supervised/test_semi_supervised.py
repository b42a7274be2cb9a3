"""The terms of the semi-supervised methods, by numbers, and what a training step leaves alone."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import ops

from marsseg_core.components.semi_layer import ViewTensors
from marsseg_core.components.semi_specs import LabellingSpec, SemiSpec
from marsseg_core.training.labelling import any_label
from marsseg_core.training.student import NetworkStudent
from marsseg_plugins.semi_supervised.fixmatch import FixMatch
from marsseg_plugins.semi_supervised.mean_teacher import MeanTeacher
from marsseg_plugins.semi_supervised.pseudo import Pseudo

SPEC = SemiSpec(3, (0,), epochs=1, steps_per_epoch=4)
# Logits (2 images, 1 row, 2 columns, 3 classes). Class 0 is ignored, so its logit has no effect.
WEAK = np.array([[[[9, 4, 0], [9, 0, 1]]], [[[9, 0, 4], [9, 0, 0]]]], np.float32)
STRONG = np.array([[[[0, 1, 0], [0, 0, 2]]], [[[0, 3, 0], [0, 1, 1]]]], np.float32)
COUNTED, MIXED = np.ones((2, 1, 2), np.uint8), np.zeros((2, 1, 2), np.uint8)


class Logits:
    """A student whose images are its logits, times its only weight."""

    def __init__(self):
        self.weights = [keras.Variable(1.0, name="scale")]

    def logits(self, images, weights=None):
        return images * ops.convert_to_tensor((weights or self.weights)[0])


def probabilities(logits):
    exponentials = np.exp(logits[..., 1:])
    return exponentials / exponentials.sum(-1, keepdims=True)


def terms(method, student, counted=COUNTED, mixed=MIXED, labels=None):
    layer = method.build(SPEC)
    layer.prepare(student)
    return [float(value) for value in layer.term(student, ViewTensors(STRONG, counted, mixed, WEAK, labels))]


def test_mean_teacher_is_the_mean_square_of_the_differences_of_probabilities():
    difference = (probabilities(STRONG) - probabilities(WEAK)) ** 2
    assert terms(MeanTeacher(), Logits()) == pytest.approx([difference.mean(), 1.0], rel=1e-5)


def test_mean_teacher_can_be_the_cross_entropy_with_the_probabilities_of_the_teacher():
    entropy = -(probabilities(WEAK) * np.log(probabilities(STRONG))).sum(axis=-1)
    assert terms(MeanTeacher(consistency="ce"), Logits()) == pytest.approx([entropy.mean(), 1.0], rel=1e-5)


def test_mean_teacher_follows_the_weights_as_an_exponential_average():
    """The first steps are a plain mean: the momentum is at most 1 − 1/t."""
    student = Logits()
    layer = MeanTeacher(momentum=0.6).build(SPEC)
    layer.prepare(student)
    expected = 0.0
    for step, value in enumerate((2.0, 4.0, 6.0, 8.0), start=1):
        student.weights[0].assign(value)
        layer.term(student, ViewTensors(STRONG, COUNTED, MIXED, WEAK))
        momentum = min(1 - 1 / step, 0.6)
        expected = momentum * expected + (1 - momentum) * value
        assert float(layer.average[0]) == pytest.approx(expected)


def test_fixmatch_counts_confident_pixels_only():
    confident = np.array([[[1, 0]], [[1, 0]]])  # the other probabilities are 0.73 and 0.5
    entropy = -np.log(np.array([[probabilities(STRONG)[0, 0, 0, 0], 1]]))
    other = -np.log(probabilities(STRONG)[1, 0, 0, 1])
    assert terms(FixMatch(threshold=0.9), Logits()) == pytest.approx(
        [(entropy[0, 0] + other) / 4, confident.mean()], rel=1e-5
    )


def test_fixmatch_takes_the_labels_of_a_box_from_the_next_image():
    mixed = MIXED.copy()
    mixed[0, 0, 0] = 1
    own = -np.log(probabilities(STRONG)[1, 0, 0, 1])
    pasted = -np.log(probabilities(STRONG)[0, 0, 0, 1])  # the second image's class
    assert terms(FixMatch(threshold=0.9), Logits(), mixed=mixed)[0] == pytest.approx((own + pasted) / 4, rel=1e-5)


def test_views_leave_moving_averages_alone_and_let_dropout_go_on():
    keras.utils.set_random_seed(1)
    image = keras.Input((4, 4, 1))
    x = keras.layers.BatchNormalization()(keras.layers.Conv2D(3, 1)(image))
    student = NetworkStudent(keras.Model(image, keras.layers.Dropout(0.5)(x)))
    before = [np.array(weight) for weight in student.weights]
    images = np.random.default_rng(0).random((2, 4, 4, 1), np.float32)
    first, second = (np.array(student.logits(images)) for _ in range(2))
    assert not np.array_equal(first, second)
    for weight, value in zip(student.weights, before, strict=True):
        np.testing.assert_array_equal(weight, value)


# Probabilities of 100 pixels: 90 of class 1, of which the network is sure, and 10 of class 2, the rare one.
SURE = np.concatenate([np.linspace(0.8, 0.99, 90), np.linspace(0.55, 0.7, 10)]).astype(np.float32)
RARE = np.arange(100) >= 90
PREDICTED = np.stack([np.zeros(100), np.where(RARE, 1 - SURE, SURE), np.where(RARE, SURE, 1 - SURE)], axis=-1)


def label(method, number=1, predicted=PREDICTED):
    images = np.zeros((2, 10, 10, 1), np.uint8)

    def predict(runs, flips):
        assert runs == (method.runs if number == 1 else None)
        assert flips == method.flips
        return iter([predicted.reshape(10, 10, 3).astype(np.float32)] * 2)

    return method.label(LabellingSpec(images, 3, (0,), predict, number))


def test_pseudo_keeps_the_same_share_of_each_class():
    labels = label(Pseudo(runs=("run",), keep=0.5))
    assert labels.shape == (2, 10, 10)
    counts = {c: int((labels == c).sum()) for c in (0, 1, 2, 255)}
    assert counts == {0: 0, 1: 90, 2: 10, 255: 100}
    np.testing.assert_array_equal(labels[0].ravel()[RARE], [255] * 5 + [2] * 5)  # the surest


def test_pseudo_asks_for_the_probabilities_of_all_runs_with_flips_or_without():
    both = label(Pseudo(runs=("one", "other"), flips=False))
    np.testing.assert_array_equal(both, label(Pseudo(runs=("run",))))


def test_pseudo_has_a_lowest_probability_for_all_classes():
    labels = label(Pseudo(runs=("run",), keep=1.0, lowest=0.75))
    assert set(np.unique(labels)) == {1, 255}


def test_soft_pseudo_labels_are_probabilities():
    labels = label(Pseudo(runs=("run",), keep=0.5, soft=True))
    assert labels.shape == (2, 10, 10, 3)
    np.testing.assert_allclose(labels[0].reshape(100, 3)[-1], PREDICTED[-1] * 255, atol=0.51)
    assert (labels.sum(axis=-1) == 0).sum() == 100


@pytest.mark.parametrize("soft", [False, True])
def test_pseudo_gives_no_label_where_only_ignored_classes_are_likely(soft):
    """Such pixels once got the first class that is not ignored."""
    certain = PREDICTED.copy()
    certain[:7] = [1, 0, 0]
    labels = label(Pseudo(runs=("run",), keep=1.0, soft=soft), predicted=certain)[0]
    unlabelled = labels.sum(axis=-1) == 0 if soft else labels == 255
    assert np.flatnonzero(unlabelled).tolist() == [*range(7)]


@pytest.mark.parametrize("soft", [False, True])
def test_pseudo_without_runs_labels_from_the_second_round_on(soft):
    method = Pseudo(runs=None, rounds=2, soft=soft)
    first, second = label(method), label(method, number=2)
    assert (first.shape, first.dtype) == (second.shape, second.dtype)
    assert not any_label(first)
    np.testing.assert_array_equal(second, label(Pseudo(runs=("run",), soft=soft)))
    assert any_label(second)


@pytest.mark.parametrize("soft", [False, True])
def test_pseudo_is_the_cross_entropy_of_labelled_pixels(soft):
    labels = np.array([[[1, 255]], [[2, 1]]], np.uint8)
    if soft:
        labels = np.where(labels[..., None] == np.arange(3), 255, 0).astype(np.uint8)
    p = probabilities(STRONG)
    expected = -np.log([p[0, 0, 0, 0], p[1, 0, 0, 1], p[1, 0, 1, 0]]).sum() / 4
    assert terms(Pseudo(runs=("run",), soft=soft), Logits(), labels=labels) == pytest.approx([expected, 0.75], rel=1e-5)
