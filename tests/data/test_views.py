"""Views of images without labels: a weak and a strong one with the same places, drawn by (seed, epoch, image)."""

from __future__ import annotations

import numpy as np
import pytest

from marsseg_core.data.batches import TrainingBatches
from marsseg_core.data.sharing import share
from marsseg_core.data.views import PairedBatches, ViewBatches, split_views
from marsseg_core.errors import RequestError
from marsseg_plugins.augmentations.erase import Erase
from marsseg_plugins.augmentations.hflip import HFlip
from marsseg_plugins.augmentations.mars import Mars
from marsseg_plugins.augmentations.noise import Noise
from marsseg_plugins.datasets.synthetic import Synthetic

IMAGES = np.arange(5 * 6 * 8, dtype=np.uint8).reshape(5, 6, 8, 1)
NOISE = Noise().apply
FLIP = HFlip()._warp_transform()


def batches(images=IMAGES, weak=((FLIP, 0.5),), strong=((NOISE, 1.0),), **words):
    return ViewBatches(images, weak, strong, **({"batch": 4, "seed": 3, "size": (6, 8)} | words))


def same(one, other):
    assert one.keys() == other.keys()
    for name, array in one.items():
        np.testing.assert_array_equal(array, other[name])


def test_a_view_depends_on_seed_epoch_and_image_alone():
    made = [batches(cutmix=0.5).make(2, index, 3) for index in (0, 1, 2)]
    again = batches(cutmix=0.5)
    for index in (2, 0, 1):  # as workers might
        same(again.make(2, index, 3), made[index])
    assert not np.array_equal(again.make(1, 0, 3)["weak"], made[0]["weak"])
    assert not np.array_equal(batches(seed=4).make(2, 0, 3)["strong"], made[0]["strong"])


def test_an_image_that_comes_twice_in_an_epoch_is_drawn_anew():
    views = batches(IMAGES[:1], batch=1).make
    first, second = (views(0, index, 2) for index in (0, 1))
    assert not np.array_equal(first["strong"], second["strong"])


def test_an_epoch_takes_every_image_as_often():
    seen = [int(image[0, 0, 0] * 255) for index in range(5) for image in batches(weak=()).make(0, index, 5)["weak"]]
    assert sorted(seen) == sorted(4 * [int(image[0, 0, 0]) for image in IMAGES])


def test_labels_and_boxes_move_with_the_pixels_of_the_strong_view():
    labels = IMAGES[..., 0] % 7
    views = batches(strong=(), cutmix=1.0, labels=labels).make(0, 0, 1)
    values = np.rint(views["strong"][..., 0] * 255).astype(np.uint8)
    np.testing.assert_array_equal(values % 7, views["labels"])
    assert 0.3 < views["mixed"].mean() < 0.7
    other = np.where(views["mixed"][..., None] == 1, np.roll(views["weak"], -1, axis=0), views["weak"])
    np.testing.assert_array_equal(views["strong"], other)


def test_probabilities_move_like_the_image():
    soft = np.concatenate([IMAGES, 255 - IMAGES], axis=-1)
    views = batches(strong=(), labels=soft).make(0, 0, 1)
    np.testing.assert_array_equal(views["labels"][..., 0], np.rint(views["strong"][..., 0] * 255))


def test_a_window_is_drawn_from_a_larger_image():
    views = batches(weak=(), size=(3, 4)).make(0, 0, 1)
    assert views["weak"].shape == (4, 3, 4, 1)
    corners = {tuple(np.rint(image[0, 0] * 255)) for image in views["weak"]}
    assert len(corners) > 1


def test_covered_pixels_do_not_count():
    views = batches(strong=((Erase(area=0.9, count=3).apply, 1.0),)).make(0, 0, 1)
    assert 0 < views["counted"].mean() < 1


@pytest.mark.parametrize(
    "change",
    [
        lambda images, masks: (images, np.ones_like(masks)),
        lambda images, masks: (images[:, :, ::-1].copy(), masks[:, :, ::-1].copy()),
    ],
    ids=["pastes labels", "mirrors"],
)
def test_an_augmentation_that_moves_or_pastes_pixels_is_refused(change):
    with pytest.raises(RequestError, match="moves pixels or pastes those of others"):
        batches(strong=((lambda images, masks, generators: change(images, masks), 1.0),)).make(0, 0, 1)


def test_the_set_for_mars_is_refused_as_a_strong_view():
    with pytest.raises(RequestError, match="moves pixels"):
        batches(strong=((Mars().apply, 1.0),)).make(0, 0, 1)


@pytest.mark.parametrize("p", [0.0, 1.0])
def test_an_augmentation_that_moves_pixels_is_found_before_it_is_drawn(p):
    batches(strong=((Noise().apply, p), (Erase().apply, p))).check()
    with pytest.raises(RequestError, match="moves pixels"):
        batches(strong=((Noise().apply, p), (Mars().apply, p))).check()


def test_workers_make_the_same_pairs():
    data = Synthetic(count=6, height=16, width=16).load()
    labelled = TrainingBatches(data, np.arange(6), (), batch=2, seed=1)
    paired = PairedBatches(labelled, batches(data.images, (), (), size=(16, 16)))
    paired.epoch = 3
    other = share(paired).open()
    other.epoch = 3
    for index in range(len(paired)):
        (images, labels), (other_images, other_labels) = paired[index], other[index]
        np.testing.assert_array_equal(images, other_images)
        masks, views = split_views(labels)
        np.testing.assert_array_equal(masks["labels"], other_labels["labels"])
        same(views, other_labels["unlabelled"])
