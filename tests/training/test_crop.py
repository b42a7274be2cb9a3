"""`training.crop`: networks learn from random windows of the images, and are scored in tiles of that size."""

from __future__ import annotations

import keras
import numpy as np
import pytest

import marsseg
from marsseg_core.data.arrays import SegmentationData
from marsseg_core.data.batches import TrainingBatches
from marsseg_core.errors import RequestError
from marsseg_core.evaluation.evaluate import evaluate, predicted_batches
from marsseg_core.networks.predictor import Predictor
from marsseg_core.training.statistics import calibration_batches
from marsseg_plugins.augmentations.cutmix import CutMix
from marsseg_plugins.augmentations.rockmix import RockMix

pytestmark = pytest.mark.usefixtures("without_observers")

COUNT, HEIGHT, WIDTH = 6, 5, 8


@pytest.fixture(scope="module")
def places():
    """Images whose values say where each pixel is: 40 · item + 8 · row + column, and masks with the same ids."""
    values = np.arange(COUNT * HEIGHT * WIDTH, dtype=np.uint8).reshape(COUNT, HEIGHT, WIDTH)
    return SegmentationData(values[..., None], values, tuple(f"class_{c}" for c in range(250)))


def batches(data, epoch=0, seed=0, batch=6, crop=(2, 3), transforms=()):
    made = TrainingBatches(data, np.arange(COUNT), list(transforms), batch=batch, seed=seed, crop=crop)
    made.epoch = epoch
    return [made[index] for index in range(len(made))]


def corners(data, **options):
    """Return the first pixel of the window of each item, by the number of the item."""
    found = {}
    for images, masks in batches(data, **options):
        np.testing.assert_array_equal(np.rint(images[..., 0] * 255), masks)
        for mask in masks:
            item, place = divmod(int(mask[0, 0]), HEIGHT * WIDTH)
            window = mask[0, 0] + np.arange(2)[:, None] * WIDTH + np.arange(3)
            np.testing.assert_array_equal(mask, window)
            found[item] = divmod(place, WIDTH)
    return found


class TestWindows:
    def test_are_cut_from_image_and_mask_alike_and_lie_inside(self, places):
        found = corners(places)
        assert sorted(found) == list(range(COUNT))
        assert all(0 <= row <= 3 and 0 <= column <= 5 for row, column in found.values())

    def test_are_everywhere_in_the_image_over_the_epochs(self, places):
        seen = {corner for epoch in range(60) for corner in corners(places, epoch=epoch).values()}
        assert seen == {(row, column) for row in range(4) for column in range(6)}

    def test_depend_on_seed_epoch_and_image_alone(self, places):
        assert corners(places, batch=6) == corners(places, batch=2)
        assert corners(places) != corners(places, epoch=1)
        assert corners(places) != corners(places, seed=1)

    def test_of_the_size_of_the_image_are_the_image(self, places):
        whole, windows = (batches(places, crop=crop, batch=2) for crop in (None, (5, 8)))
        for (images, masks), (other_images, other_masks) in zip(whole, windows, strict=True):
            np.testing.assert_array_equal(images, other_images)
            np.testing.assert_array_equal(masks, other_masks)

    @pytest.mark.parametrize("mix", [CutMix(), RockMix()], ids=["cutmix", "rockmix"])
    def test_take_parts_of_windows_of_other_images(self, places, mix):
        ((images, masks),) = batches(places, transforms=[(mix.prepare(places, np.arange(COUNT)), 1.0)])
        assert images.shape == (6, 2, 3, 1)
        np.testing.assert_array_equal(np.rint(images[..., 0] * 255), masks)

    def test_for_calibration_are_the_middles_of_the_images(self, places):
        (images,) = calibration_batches(places, np.arange(2), 2, crop=(1, 2))
        assert np.rint(images[0] * 255).ravel().tolist() == [2 * WIDTH + 3, 2 * WIDTH + 4]


@pytest.fixture(scope="module")
def rocks():
    """Images with a pixel of rock at row 4 and column 7, 5 or 0; others have none."""
    masks = np.ones((COUNT, HEIGHT, WIDTH), np.uint8)
    for item, column in ((0, 7), (2, 5), (3, 0)):
        masks[item, 4, column] = 2
    images = np.arange(COUNT * HEIGHT * WIDTH, dtype=np.uint8).reshape(COUNT, HEIGHT, WIDTH, 1)
    return SegmentationData(images, masks, ("void", "ground", "rock"), (0,))


class TestWindowsAroundARareClass:
    def places_of(self, rocks, epoch, focus, batch=6, seed=0, **options):
        """Return the first pixel of each item's window, and whether it has rock."""
        made = TrainingBatches(
            rocks, np.arange(COUNT), [], batch=batch, seed=seed, crop=(2, 3), crop_focus=focus, **options
        )
        made.epoch = epoch
        found = {}
        for images, masks in (made[index] for index in range(len(made))):
            for image, mask in zip(images, masks, strict=True):
                item, place = divmod(round(float(image[0, 0, 0]) * 255), HEIGHT * WIDTH)
                found[item] = (divmod(place, WIDTH), bool((mask == 2).any()))
        return found

    def test_hold_a_pixel_of_it_in_each_epoch_if_the_probability_is_1(self, rocks):
        columns = set()
        for epoch in range(40):
            found = self.places_of(rocks, epoch, 1.0)
            assert [item for item in sorted(found) if found[item][1]] == [0, 2, 3]
            columns.add(found[2][0][1])
        assert columns == {3, 4, 5}  # wherever the window can be

    def test_hold_it_more_often_with_a_larger_probability(self, rocks):
        shares = [np.mean([self.places_of(rocks, epoch, focus)[2][1] for epoch in range(200)]) for focus in (0, 0.5, 1)]
        # By chance, one of 4 rows and three of 6 columns have it.
        assert shares == pytest.approx([1 / 8, (1 + 1 / 8) / 2, 1], abs=0.1)

    def test_depend_on_seed_epoch_and_image_alone(self, rocks):
        assert self.places_of(rocks, 0, 0.5) == self.places_of(rocks, 0, 0.5, batch=2)
        assert self.places_of(rocks, 0, 0.5) != self.places_of(rocks, 1, 0.5)
        assert self.places_of(rocks, 0, 0.5) != self.places_of(rocks, 0, 0.5, seed=1)

    def test_are_the_same_as_ever_if_the_probability_is_0(self, rocks):
        expected = {}
        for item in range(COUNT):
            generator = np.random.default_rng([0, 0, item])
            expected[item] = (int(generator.integers(4)), int(generator.integers(6)))
        assert {item: place for item, (place, _) in self.places_of(rocks, 0, 0).items()} == expected

    def test_can_be_around_a_class_that_is_named(self, rocks):
        with_ground = self.places_of(rocks, 0, 1.0, favoured_class=1)
        assert with_ground != self.places_of(rocks, 0, 1.0)

    def test_need_a_window(self):
        with pytest.raises(RequestError, match="crop_focus needs crop"):
            marsseg.plan(crop_focus=0.5)


def test_items_of_another_size_are_scored_in_tiles(places):
    inputs = keras.Input((2, 3, 1))
    network = keras.Model(inputs, keras.layers.Conv2D(250, 1)(inputs))
    items = np.array([4, 1])
    found = list(predicted_batches(network, places, items, batch=4))
    assert [masks.tolist() for masks, _ in found] == [places.masks[[4]].tolist(), places.masks[[1]].tolist()]
    probabilities = Predictor([network]).probabilities([places.images[4], places.images[1]])
    for (_, logits), expected in zip(found, probabilities, strict=True):
        assert logits.shape == (1, HEIGHT, WIDTH, 250)
        np.testing.assert_allclose(np.exp(logits[0]), expected, atol=1e-6)
    assert evaluate(network, places, items, 4).unrestricted.sum() == 2 * HEIGHT * WIDTH


def test_a_run_learns_from_windows_and_scores_whole_images(tmp_path):
    options = {"arch": "unet:width=0.125", "data": "synthetic:count=16:height=24:width=48", "epochs": 1}
    run = marsseg.run(**options, crop=(16, 16), augment="rockmix,hflip", averaging="swa", out=tmp_path / "run")
    assert run.network.input_shape == (None, 16, 16, 1)
    labelled = run.data.label_counts[run.split["test"], :-1].sum()
    assert run.scores["test"].unrestricted.sum() == labelled
    again = marsseg.evaluate(run, subset="test")
    np.testing.assert_array_equal(again.restricted, run.scores["test"].restricted)
    with pytest.raises(RequestError, match="A window of 32 × 16 pixels does not fit in images of 24 × 48"):
        marsseg.run(**options, crop=(32, 16), out=tmp_path / "other")
    assert not (tmp_path / "other").exists()
    with pytest.raises(RequestError, match="crop must be two numbers, rows and columns"):
        marsseg.plan(**options, crop=(8, 8, 8))
