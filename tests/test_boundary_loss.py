"""The boundary loss: its distances against SciPy-free ones, its formula, what it does when a prediction moves."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from hypothesis.extra import numpy as hnp
from keras import ops

import marsseg_core as marsseg
from marsseg_core.backend import value_and_gradient
from marsseg_core.components import LossSpec
from marsseg_core.errors import RequestError
from marsseg_plugins.losses.boundary import Boundary
from marsseg_plugins.losses.distances import signed_distances

VOID = 255
CLASSES = 4
SPEC = LossSpec(CLASSES, (0,), (1, 1, 1, 1))
FORMS = [Boundary(), Boundary(form="signed")]

masks_of_all_kinds = hnp.arrays(np.uint8, (2, 6, 7), elements=st.sampled_from([0, 1, 2, 3, VOID]))
logits_of_all_kinds = hnp.arrays(np.float32, (2, 6, 7, CLASSES), elements=st.floats(-20, 20, width=32))


def brute_force(mask, c):
    """φ by looking at each pair of pixels."""
    inside = mask == c
    if not inside.any() or inside.all():
        return np.zeros(mask.shape)
    places = np.argwhere(np.ones_like(inside))
    apart = np.linalg.norm(places[:, None] - places[None], axis=-1)
    flat = inside.ravel()
    to_class = apart[:, flat].min(axis=1)
    to_rest = apart[:, ~flat].min(axis=1)
    return np.where(flat, -(to_rest - 1), to_class).reshape(mask.shape)


def softmax(logits):
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def value(loss, masks, logits):
    return float(loss.build(SPEC)(masks, ops.convert_to_tensor(logits), loss.targets(SPEC)(masks)))


def disc(centre, radius=4, shape=(24, 48)):
    row, column = np.indices(shape)
    return (row - centre[0]) ** 2 + (column - centre[1]) ** 2 <= radius**2


@settings(max_examples=30)
@given(masks_of_all_kinds)
def test_distances_are_those_to_the_nearest_pixel_in_and_out_of_the_class(masks):
    found = signed_distances(masks, CLASSES, (0,))
    assert found.dtype == np.float32
    assert found.shape == (*masks.shape, CLASSES)
    assert not found[..., 0].any()
    for mask, maps in zip(masks, found, strict=True):
        for c in range(1, CLASSES):
            np.testing.assert_allclose(maps[..., c], brute_force(mask, c), rtol=1e-6)


@settings(max_examples=20)
@given(masks_of_all_kinds, st.sampled_from([1, 2]))
def test_flips_commute_with_the_distances(masks, axis):
    flipped = signed_distances(np.flip(masks, axis), CLASSES, (0,))
    np.testing.assert_array_equal(flipped, np.flip(signed_distances(masks, CLASSES, (0,)), axis))


@settings(max_examples=30)
@given(masks_of_all_kinds, logits_of_all_kinds)
def test_is_the_formula_over_labelled_pixels_and_counted_classes(masks, logits):
    phi = np.stack([[brute_force(mask, c) for c in range(1, CLASSES)] for mask in masks]).transpose(0, 2, 3, 1)
    p = softmax(logits.astype(np.float64))[..., 1:]
    counts = (masks != 0) & (masks != VOID)
    pixels = max(1, counts.sum()) * (CLASSES - 1)
    signed = (p * phi)[counts].sum() / pixels
    positive = (p * np.maximum(phi, 0) + (1 - p) * np.maximum(-phi, 0))[counts].sum() / pixels
    assert value(FORMS[1], masks, logits) == pytest.approx(signed, rel=1e-4, abs=1e-5)
    assert value(FORMS[0], masks, logits) == pytest.approx(positive, rel=1e-4, abs=1e-5)


@settings(max_examples=20)
@given(masks_of_all_kinds, logits_of_all_kinds)
def test_both_forms_have_the_same_gradient(masks, logits):
    gradients = []
    for loss in FORMS:
        function, maps = loss.build(SPEC), loss.targets(SPEC)(masks)

        def at(z, function=function, maps=maps):
            return function(masks, z, maps)

        gradients.append(np.asarray(value_and_gradient(at, ops.convert_to_tensor(logits))[1]))
    np.testing.assert_allclose(gradients[0], gradients[1], atol=1e-5)


@pytest.mark.parametrize("loss", FORMS, ids=["nonnegative", "signed"])
def test_moving_a_disc_away_raises_the_loss_step_by_step(loss):
    masks = np.where(disc((12, 10)), 2, 1).astype(np.uint8)[None]
    values = []
    for column in range(10, 40, 3):
        said = np.where(disc((12, column)), 2, 1)[None]
        values.append(value(loss, masks, np.where(said[..., None] == np.arange(CLASSES), 20.0, 0.0).astype("float32")))
    assert (np.diff(values) > 0).all()


def test_at_perfection_one_form_is_zero_and_the_other_negative():
    masks = np.where(disc((12, 10)), 2, 1).astype(np.uint8)[None]
    logits = np.where(masks[..., None] == np.arange(CLASSES), 50.0, 0.0).astype("float32")
    assert value(FORMS[0], masks, logits) == pytest.approx(0, abs=1e-6)
    assert value(FORMS[1], masks, logits) < 0
    assert not FORMS[0].may_be_negative
    assert FORMS[1].may_be_negative


def test_a_class_that_fills_its_image_has_no_boundary():
    masks = np.full((1, 5, 6), 2, np.uint8)
    assert not signed_distances(masks, CLASSES, (0,)).any()


def test_the_distances_are_those_of_the_augmented_mask(tmp_path):
    from marsseg_core.training.building import build_batches, build_objective

    run = marsseg.run(
        arch="unet:width=0.125:depth=1:convolutions=1",
        data="synthetic:count=16:height=16:width=32",
        loss="wssce,boundary:weight=0.01",
        augment="zoom:p=1",
        epochs=1,
        batch=4,
        out=tmp_path / "run",
        warn=pytest.fail,
    )
    assert np.isfinite(run.history[0]["val_loss_boundary"])
    objective = build_objective(run.plan, run.data, run.split)
    _, labels = build_batches(run.plan, run.data, run.split, objective)[0]
    np.testing.assert_array_equal(labels["targets_boundary"], signed_distances(labels["labels"], 5, (0,)))


def test_by_name_alone_it_says_that_it_wants_targets():
    with pytest.raises(RequestError, match="targets"):
        marsseg.loss("boundary")


def test_half_precision_is_taken_to_float32():
    masks = np.where(disc((12, 10)), 2, 1).astype(np.uint8)[None]
    logits = ops.cast(np.zeros((*masks.shape, CLASSES)), "float16")
    result = FORMS[0].build(SPEC)(masks, logits, FORMS[0].targets(SPEC)(masks))
    assert keras.backend.standardize_dtype(result.dtype) == "float32"
