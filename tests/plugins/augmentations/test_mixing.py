"""CutMix and RockMix paste a rectangle of another image with its labels, taken only from the training subset."""

import numpy as np
import pytest

from marsseg_core.data.arrays import SegmentationData, scale
from marsseg_core.data.batches import TrainingBatches
from marsseg_core.errors import RequestError
from marsseg_core.registry.parameters import configure
from marsseg_plugins.augmentations.cutmix import CutMix
from marsseg_plugins.augmentations.rockmix import RockMix

HEIGHT, WIDTH, COUNT = 16, 24, 12
ITEMS = np.arange(8)  # the training subset; the others must stay unseen
ROCKS = (2, 5)


@pytest.fixture
def data():
    """Images whose grey value is their index, labelled 1 or 2 by its parity; items 2, 5 and 9 have a rock (class 4)."""
    images = np.broadcast_to(np.arange(COUNT).reshape(-1, 1, 1, 1), (COUNT, HEIGHT, WIDTH, 1)).astype(np.uint8)
    masks = np.broadcast_to((1 + np.arange(COUNT) % 2).reshape(-1, 1, 1), (COUNT, HEIGHT, WIDTH)).astype(np.uint8)
    for item in (*ROCKS, 9):
        masks[item, 3:5, 18:20] = 4
    return SegmentationData(images, masks, ("void", "a", "b", "c", "rock"), (0,))


def mixed(augmentation, data, items, seed=0):
    transform = augmentation.prepare(data, ITEMS)
    generators = [np.random.default_rng([seed, item]) for item in items]
    return transform(scale(data.images[items]), data.masks[items], generators)


def pasted(images, data, item):
    """Return which pixels of an image came from another one, and from which."""
    numbers = np.rint(images[..., 0] * 255).astype(int)
    return numbers != item, {int(number) for number in np.unique(numbers)} - {item}


@pytest.mark.parametrize("augmentation", [CutMix(), RockMix()], ids=["cutmix", "rockmix"])
class TestBoth:
    def test_image_and_labels_come_together_from_one_training_image(self, augmentation, data):
        donors = set()
        for seed in range(30):
            images, masks = mixed(augmentation, data, [0], seed)
            changed, sources = pasted(images[0], data, 0)
            assert len(sources) <= 1
            for donor in sources:
                np.testing.assert_array_equal(masks[0][changed], data.masks[donor][changed])
            np.testing.assert_array_equal(masks[0][~changed], data.masks[0][~changed])
            donors |= sources
        assert donors
        assert donors <= set(ITEMS.tolist())

    def test_the_pasted_region_is_a_rectangle_at_its_own_place(self, augmentation, data):
        for seed in range(20):
            changed, _ = pasted(mixed(augmentation, data, [0], seed)[0][0], data, 0)
            rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
            assert changed.sum() == len(rows) * len(columns)

    def test_each_image_follows_its_own_generator_alone(self, augmentation, data):
        together = mixed(augmentation, data, [0, 1, 3])
        alone = mixed(augmentation, data, [3])
        np.testing.assert_array_equal(together[0][2], alone[0][0])
        np.testing.assert_array_equal(together[1][2], alone[1][0])

    def test_the_area_stays_within_its_bounds(self, augmentation, data):
        for seed in range(20):
            changed, _ = pasted(mixed(augmentation, data, [0], seed)[0][0], data, 0)
            # rounding to whole pixels on each side
            assert changed.sum() <= (augmentation.largest**0.5 * HEIGHT + 1) * (augmentation.largest**0.5 * WIDTH + 1)

    def test_the_same_epoch_gives_the_same_images_in_any_batch(self, augmentation, data):
        transforms = [(augmentation.prepare(data, ITEMS), 0.7)]

        def epoch(batch):
            batches = TrainingBatches(data, ITEMS, transforms, batch=batch, seed=3)
            images = np.concatenate([batches[i][0] for i in range(len(batches))])
            order = np.concatenate([batches._epoch_order(0)[:, 0]])
            return images[np.argsort(order[: len(images)])]

        np.testing.assert_array_equal(epoch(2), epoch(8))

    def test_a_lower_bound_above_the_upper_one_is_refused(self, augmentation, data):
        with pytest.raises(RequestError, match="smallest"):
            configure(type(augmentation), {"smallest": "0.5", "largest": "0.1"})


def test_rockmix_centres_its_rectangle_on_a_pixel_of_the_rarest_class(data):
    for seed in range(20):
        images, masks = mixed(RockMix(), data, [0], seed)
        _, donors = pasted(images[0], data, 0)
        assert donors <= set(ROCKS)
        assert (masks[0] == 4).any()


def test_rockmix_without_any_label_changes_nothing(data):
    empty = SegmentationData(data.images, np.zeros_like(data.masks), data.class_names, (0,))
    images, masks = mixed(RockMix(), empty, [0, 1])
    np.testing.assert_array_equal(images, scale(data.images[:2]))
    assert not masks.any()
