"""`training.oversample`: images with the rarest class are drawn more often."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from marsseg_core.data.arrays import SegmentationData
from marsseg_core.data.batches import TrainingBatches

COUNT, RARE = 20, (3, 7, 11)


def labelled_data():
    images = np.broadcast_to(np.arange(COUNT).reshape(-1, 1, 1, 1), (COUNT, 4, 4, 1)).astype(np.uint8)
    masks = np.ones((COUNT, 4, 4), np.uint8)
    masks[list(RARE), 0, 0] = 2
    return SegmentationData(images, masks, ("void", "ground", "rock"), (0,))


def drawn(batches, epoch):
    batches.epoch = epoch
    seen = np.concatenate([np.rint(batches[i][0][:, 0, 0, 0] * 255).astype(int) for i in range(len(batches))])
    return np.bincount(seen, minlength=COUNT)


@settings(max_examples=20)
@given(factor=st.floats(1, 9), epoch=st.integers(0, 50))
def test_images_with_the_rarest_class_are_drawn_as_often_as_requested_and_the_others_once(factor, epoch):
    batches = TrainingBatches(labelled_data(), np.arange(COUNT), [], batch=1, seed=0, oversample=factor)
    times = drawn(batches, epoch)
    rare = np.isin(np.arange(COUNT), RARE)
    assert (times[~rare] == 1).all()
    assert times[rare].sum() == len(RARE) + round((factor - 1) * len(RARE))
    assert times[rare].max() - times[rare].min() <= 1


def test_over_many_epochs_all_rare_images_are_drawn_equally_often():
    batches = TrainingBatches(labelled_data(), np.arange(COUNT), [], batch=1, seed=0, oversample=1.5)
    times = sum(drawn(batches, epoch) for epoch in range(200))
    assert times[list(RARE)] == pytest.approx([300] * 3, abs=45)


def test_only_images_of_the_training_subset_are_drawn():
    items = np.array([0, 1, 3, 4])
    batches = TrainingBatches(labelled_data(), items, [], batch=1, seed=0, oversample=4)
    times = drawn(batches, 0)
    assert times[3] == 4
    assert times.sum() == 7
    assert set(np.flatnonzero(times)) == set(items)


def test_each_copy_is_augmented_differently():
    def note(images, masks, generators):
        return np.stack([np.full_like(image, g.random()) for image, g in zip(images, generators, strict=True)]), masks

    items = np.array([3, 0])
    batches = TrainingBatches(labelled_data(), items, [(note, 1.0)], batch=1, seed=0, oversample=5)
    values = {float(batches[i][0][0, 0, 0, 0]) for i in range(len(batches))}
    assert len(values) == 6


def test_a_factor_of_1_changes_nothing():
    plain = TrainingBatches(labelled_data(), np.arange(COUNT), [], batch=4, seed=0)
    ones = TrainingBatches(labelled_data(), np.arange(COUNT), [], batch=4, seed=0, oversample=1.0)
    for i in range(len(plain)):
        np.testing.assert_array_equal(plain[i][0], ones[i][0])
