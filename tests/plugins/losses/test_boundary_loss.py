"""Test the boundary loss: distances (against code without SciPy), the formula, and predictions that move."""

import keras
import numpy as np
import pytest
from helpers.messages import no_warning
from hypothesis import given, settings, strategies as st
from hypothesis.extra import numpy as hnp
from keras import ops

import marsseg_core as marsseg
from marsseg_core.components.specs import LossSpec
from marsseg_core.errors import RequestError
from marsseg_core.networks.keras_backend.functions import value_and_gradient
from marsseg_core.planning.grammar import components
from marsseg_core.registry import kinds
from marsseg_plugins.losses.boundary import Boundary
from marsseg_plugins.losses.distances import signed_distances

pytestmark = pytest.mark.usefixtures("without_reports")

VOID = 255
CLASSES = 4
SPEC = LossSpec(CLASSES, (0,), (1, 1, 1, 1))
FORMS = [Boundary(), Boundary(form="signed")]

masks_of_all_kinds = hnp.arrays(np.uint8, (2, 6, 7), elements=st.sampled_from([0, 1, 2, 3, VOID]))
logits_of_all_kinds = hnp.arrays(np.float32, (2, 6, 7, CLASSES), elements=st.floats(-20, 20, width=32))


def brute_force(mask, c, ignore_classes=(0,)):
    """Compute φ from all pairs of labelled pixels that are not ignored."""
    inside = (mask == c).ravel()
    known = ~np.isin(mask, [VOID, *ignore_classes]).ravel()
    others = known & ~inside
    if not inside.any() or not others.any():
        return np.zeros(mask.shape)
    places = np.argwhere(np.ones(mask.shape))
    apart = np.linalg.norm(places[:, None] - places[None], axis=-1)
    phi = np.where(inside, 1 - apart[:, others].min(axis=1), apart[:, inside].min(axis=1))
    return np.where(known, phi, 0).reshape(mask.shape)


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
    actual = signed_distances(masks, CLASSES, (0,))
    assert actual.dtype == np.float32
    assert actual.shape == (*masks.shape, CLASSES)
    assert not actual[..., 0].any()
    for mask, maps in zip(masks, actual, strict=True):
        for c in range(1, CLASSES):
            np.testing.assert_allclose(maps[..., c], brute_force(mask, c), rtol=1e-6)


def test_the_edge_of_the_annotation_is_no_boundary():
    """Otherwise one void pixel in the corner of a uniform tile gives a loss of 14.9 at uniform logits."""
    masks = np.full((1, 16, 32), 2, np.uint8)
    masks[0, 0, 0] = VOID
    assert not signed_distances(masks, CLASSES, (0,)).any()
    for loss in FORMS:
        assert value(loss, masks, np.zeros((*masks.shape, CLASSES), np.float32)) == 0


def test_pixels_of_a_class_are_used_only_if_the_class_is_not_ignored():
    masks = np.array([[[1, 0, 0, 2]]], np.uint8)
    assert signed_distances(masks, CLASSES, (0,))[0, 0, :, 1].tolist() == [-2, 0, 0, 3]
    assert signed_distances(masks, CLASSES, ())[0, 0, :, 1].tolist() == [0, 1, 2, 3]
    assert Boundary().targets(SPEC)(masks)[0, 0, :, 1].tolist() == [-2, 0, 0, 3]


def test_real_tiles_of_one_class_have_no_boundary(real_tiles):
    """Of 4,000 tiles, 3,097 have one class and pixels without a label."""
    with np.load(real_tiles) as archive:
        masks = archive["training_set"][:100, 1].astype(np.uint8)
    actual = signed_distances(masks, 5, (0,)).any(axis=(1, 2, 3))
    several = [len(np.setdiff1d(mask, [0, VOID])) > 1 for mask in masks]
    assert actual.tolist() == several
    assert 0 < actual.sum() < len(masks)


patterns = hnp.arrays(bool, (2, 6, 7))


@settings(max_examples=30)
@given(masks_of_all_kinds, patterns, st.sampled_from([0, VOID]))
def test_removing_labels_changes_no_sign_and_adds_no_boundary(masks, covered, label):
    """With fewer labels, distances stay the same or grow, or become 0 where no pixel for them is left."""
    before = signed_distances(masks, CLASSES, (0,))
    after = signed_distances(np.where(covered, label, masks).astype(np.uint8), CLASSES, (0,))
    assert not after[covered].any()
    assert (before * after >= 0).all()
    kept = after != 0
    assert (np.abs(after[kept]) >= np.abs(before[kept])).all()
    assert (before[after > 0] > 0).all()


@settings(max_examples=20)
@given(st.integers(0, CLASSES - 1), patterns)
def test_an_image_of_one_class_has_no_boundary_whatever_is_void(c, covered):
    masks = np.where(covered, VOID, c).astype(np.uint8)
    assert not signed_distances(masks, CLASSES, (0,)).any()
    assert not signed_distances(masks, CLASSES, ()).any()


@settings(max_examples=10)
@given(masks_of_all_kinds, st.sampled_from(["gridmask", "erase:count=3"]), st.integers(0, 99))
def test_covering_an_image_makes_no_boundary(masks, words, seed):
    (covering,) = components(kinds.AUGMENTATION, words)
    one_class = np.where(masks == VOID, VOID, 2).astype(np.uint8)
    images = np.zeros((*masks.shape, 1), np.float32)
    generators = [np.random.default_rng([seed, i]) for i in range(len(masks))]
    _, covered = covering.apply(images, one_class.copy(), generators)
    assert not signed_distances(covered, CLASSES, (0,)).any()


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
        prediction = np.where(disc((12, column)), 2, 1)[None]
        values.append(
            value(loss, masks, np.where(prediction[..., None] == np.arange(CLASSES), 20.0, 0.0).astype("float32"))
        )
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


def test_a_loss_of_one_class_is_refused():
    """All distances would be 0 for any data."""
    with pytest.raises(ValueError, match="two classes that are not ignored"):
        Boundary().build(LossSpec(2, (0,), (1, 1)))


def test_the_distances_are_those_of_the_augmented_mask(tmp_path):
    from marsseg_core.training.assembly import build_batches
    from marsseg_core.training.objective import build_objective

    with no_warning():
        run = marsseg.run(
            arch="unet:width=0.125:depth=1:convolutions=1",
            data="synthetic:count=16:height=16:width=32",
            loss="wssce,boundary:weight=0.01",
            augment="zoom:p=1",
            epochs=1,
            batch=4,
            out=tmp_path / "run",
        )
    assert np.isfinite(run.history[0]["val_loss_boundary"])
    objective = build_objective(run.plan, run.data, run.split)
    _, labels = build_batches(run.plan, run.data, run.split, objective)[0]
    np.testing.assert_array_equal(labels["targets_boundary"], signed_distances(labels["labels"], 5, (0,)))


def test_by_name_alone_the_error_names_the_missing_targets():
    with pytest.raises(RequestError, match="targets"):
        marsseg.loss("boundary")


def test_half_precision_is_taken_to_float32():
    masks = np.where(disc((12, 10)), 2, 1).astype(np.uint8)[None]
    logits = ops.cast(np.zeros((*masks.shape, CLASSES)), "float16")
    result = FORMS[0].build(SPEC)(masks, logits, FORMS[0].targets(SPEC)(masks))
    assert keras.backend.standardize_dtype(result.dtype) == "float32"
