"""`training.oversample`: images with the rarest class, or with a class that is named, are drawn more often."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import marsseg
from marsseg_core.data.arrays import SegmentationData
from marsseg_core.data.batches import TrainingBatches
from marsseg_core.data.split import Split
from marsseg_core.errors import RequestError
from marsseg_core.training.assembly import training_batches

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


class TestAClassThatIsNamed:
    @pytest.fixture
    def data(self):
        data = labelled_data()
        masks = data.masks.copy()
        masks[[0, 1, 2, 3, 4], 1, 1] = 3  # more images than those with "rock"
        masks[9, 0, 0] = 0
        return SegmentationData(data.images, masks, ("void", "ground", "rock", "sand", "ice"), (0,))

    SPLIT = Split(tuple(range(12)), tuple(range(12, 16)), tuple(range(16, COUNT)))

    def batches(self, data, **options):
        return training_batches(marsseg.plan(batch=1, **options), data, self.SPLIT)

    def test_is_drawn_more_often_in_place_of_the_rarest(self, data):
        times = drawn(self.batches(data, oversample=3, oversample_class="sand"), 0)[:12]
        assert times.tolist() == [3, 3, 3, 3, 3, 1, 1, 1, 1, 1, 1, 1]
        times = drawn(self.batches(data, oversample=3), 0)[:12]
        assert np.flatnonzero(times == 3).tolist() == list(RARE)

    @pytest.mark.parametrize(
        ("name", "message"),
        [
            ("sandy", "There is no class 'sandy'"),
            ("void", "The class 'void' is ignored"),
            ("ice", "No image of the training subset has the class 'ice'"),
        ],
    )
    def test_must_be_in_the_training_subset(self, data, name, message):
        with pytest.raises(RequestError, match=message):
            self.batches(data, oversample=3, oversample_class=name)

    def test_has_no_effect_alone_and_a_line_says_so(self):
        assert "oversample_class has no effect" in marsseg.plan(oversample_class="sand").remarks[0]
        assert not marsseg.plan(oversample_class="sand", oversample=2).remarks
