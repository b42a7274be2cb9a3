"""The contract of an augmentation, to inherit in a test:

    class TestMine(AugmentationContract):
        component = Mine(degrees=40)
        geometric = True

Give it parameters strong enough that something happens to a small image. It needs no Keras.
"""

from __future__ import annotations

import random
from typing import ClassVar

import numpy as np
import pytest

from ..components import VOID, Augmentation
from ..data.arrays import SegmentationData
from .components import ComponentContract

COUNT = 4
CLASSES = 5
# Labels whose means are no labels: what interpolates them is seen. One set for each image of a batch.
LABELS = ((0, 4), (3, VOID), (1,), (0, 2, 4, VOID))
SHAPES = [(24, 40, 1), (24, 40, 3), (17, 31, 1), (40, 24, 4)]


class AugmentationContract(ComponentContract):
    """What every augmentation keeps to; a subclass sets `component`.

    It says by `geometric` that it moves the ground, image and mask alike, by `leaves_masks` that masks stay as they
    are, and by `draws = False` that it does the same to every image. `nothing` is the component with the parameters at
    which it changes nothing, if there are some. Labels of other images are expected of one that overrides `prepare`.
    """

    component: ClassVar[Augmentation]
    geometric: ClassVar[bool] = False
    leaves_masks: ClassVar[bool] = False
    draws: ClassVar[bool] = True
    nothing: ClassVar[Augmentation | None] = None

    @property
    def mixes(self) -> bool:
        return type(self.component).prepare is not Augmentation.prepare

    def apply(
        self,
        images: np.ndarray,
        masks: np.ndarray,
        seed: int = 0,
        *,
        chosen: slice = slice(None),
        component: Augmentation | None = None,
        data: SegmentationData | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """What becomes of copies of these images, each with the generator of its position in the whole batch."""
        generators = [np.random.default_rng([seed, i]) for i in range(len(images))]
        data = data or make_data(images.shape[1:])
        transform = (component or self.component).prepare(data, np.arange(len(data) // 2))
        found: tuple[np.ndarray, np.ndarray] = transform(
            images[chosen].copy(), masks[chosen].copy(), generators[chosen]
        )
        return found

    @pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: "x".join(map(str, shape)))
    def test_images_stay_images_and_labels_stay_labels(self, shape: tuple[int, int, int]) -> None:
        """Labels are never interpolated: each is one that its image had, or a donor's, or void."""
        data = make_data(shape)
        others = set(np.unique(data.masks[: len(data) // 2])) if self.mixes else set()
        for seed in range(5):
            images, masks = make_batch(shape, seed)
            images[seed % COUNT] = seed % 2  # all white or all black
            new_images, new_masks = self.apply(images, masks, seed, data=data)
            assert new_images.shape == images.shape
            assert new_masks.shape == masks.shape
            assert new_images.dtype == np.float32
            assert new_masks.dtype == np.uint8
            assert np.isfinite(new_images).all()
            assert new_images.min() >= 0
            assert new_images.max() <= 1
            for before, after in zip(masks, new_masks, strict=True):
                assert set(np.unique(after)) <= {*np.unique(before), VOID} | others

    def test_all_chance_comes_from_the_generators(self) -> None:
        images, masks = make_batch()
        states = np.random.get_state(), random.getstate()
        try:
            found = []
            for seed in (1, 2):
                np.random.seed(seed)
                random.seed(seed)
                found.append(self.apply(images, masks))
        finally:
            np.random.set_state(states[0])
            random.setstate(states[1])
        for first, second in zip(*found, strict=True):
            np.testing.assert_array_equal(first, second)

    def test_what_happens_to_an_image_depends_on_it_alone(self) -> None:
        """Not on the others of its batch, nor on their order."""
        images, masks = make_batch()
        together = self.apply(images, masks)
        for chosen in (*(slice(i, i + 1) for i in range(COUNT)), slice(None, None, -1)):
            for part, whole in zip(self.apply(images, masks, chosen=chosen), together, strict=True):
                np.testing.assert_array_equal(part, whole[chosen])

    def test_other_generators_give_something_else(self) -> None:
        if not self.draws:
            pytest.skip("it does the same to every image")
        images, masks = make_batch()
        first, second = (self.apply(images, masks, seed)[0] for seed in (0, 1))
        assert (first != second).any()
        alike = self.apply(np.repeat(images[:1], COUNT, axis=0), np.repeat(masks[:1], COUNT, axis=0))[0]
        assert (alike[1:] != alike[0]).any()

    def test_it_changes_something(self) -> None:
        images, masks = make_batch()
        assert (self.apply(images, masks)[0] != images).any()

    def test_at_no_strength_nothing_changes(self) -> None:
        if self.nothing is None:
            pytest.skip("it has no parameters at which it changes nothing")
        images, masks = make_batch((24, 40, 3))
        new_images, new_masks = self.apply(images, masks, component=self.nothing)
        np.testing.assert_array_equal(new_images, images)
        np.testing.assert_array_equal(new_masks, masks)

    def test_the_mask_stays_as_it_is(self) -> None:
        if not self.leaves_masks:
            pytest.skip("it changes masks")
        images, masks = make_batch()
        np.testing.assert_array_equal(self.apply(images, masks)[1], masks)

    @pytest.mark.parametrize("channels", [1, 3])
    def test_the_mask_moves_exactly_as_the_image(self, channels: int) -> None:
        """On boards whose images show the labels: white is 1, black 0."""
        if not (self.geometric or self.mixes):
            pytest.skip("it does not move the ground")
        boards = checkerboards()
        images = np.repeat(boards[..., None], channels, axis=-1)
        # Boards of smaller fields are what is mixed in.
        donors = np.repeat(checkerboards(field=5), 2, axis=0)
        shown = 255 * np.repeat(donors[..., None], channels, axis=-1)
        data = SegmentationData(shown, donors, ("black", "white"))
        new_images, new_masks = self.apply(images.astype(np.float32), boards, data=data)
        assert (new_masks != boards).any()
        inside = new_masks != VOID
        assert inside.mean() > 0.3, "nearly all is void: give the component smaller parameters"
        for channel in range(channels):
            seen = new_images[..., channel]
            # The nearest of four pixels has at least a quarter of the bilinear weight; away from edges they agree.
            assert (np.abs(seen - new_masks)[inside] <= 0.76).all()
            clear = inside & ((seen == 0) | (seen == 1))
            assert clear.mean() > 0.25
            np.testing.assert_array_equal(seen[clear], new_masks[clear])

    def test_only_the_given_items_are_looked_at(self) -> None:
        """What the other items of the data hold, such as its test part, changes nothing."""
        images, masks = make_batch()
        data = make_data(images.shape[1:])
        half = len(data) // 2
        changed_images, changed_masks = data.images.copy(), data.masks.copy()
        changed_images[half:] = 255 - changed_images[half:]
        changed_masks[half:] = CLASSES - 1
        changed = SegmentationData(changed_images, changed_masks, data.class_names)
        for seed in range(5):
            found = (self.apply(images, masks, seed, data=each) for each in (data, changed))
            for first, second in zip(*found, strict=True):
                np.testing.assert_array_equal(first, second)

    def test_the_data_stays_as_it_is(self) -> None:
        images, masks = make_batch()
        data = make_data(images.shape[1:])
        before = data.images.copy(), data.masks.copy()
        self.apply(images, masks, data=data)
        np.testing.assert_array_equal(data.images, before[0])
        np.testing.assert_array_equal(data.masks, before[1])


def make_batch(shape: tuple[int, ...] = (24, 40, 1), seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Noise in [0, 1], (B, H, W, C) float32, and masks (B, H, W) uint8 of the labels of `LABELS`."""
    random = np.random.default_rng(seed)
    masks = np.stack([random.choice(labels, shape[:2]) for labels in LABELS])
    return random.random((COUNT, *shape), np.float32), masks.astype(np.uint8)


def make_data(shape: tuple[int, ...]) -> SegmentationData:
    """Eight images of noise; the first four have the classes 1 and 2 and some void, the others 3 alone."""
    random = np.random.default_rng(7)
    images = random.integers(0, 256, (2 * COUNT, *shape), np.uint8)
    masks = random.choice([1, 1, 1, 2, VOID], (2 * COUNT, *shape[:2])).astype(np.uint8)
    masks[COUNT:] = 3
    return SegmentationData(images, masks, tuple("abcde"))


def checkerboards(height: int = 48, width: int = 64, field: int = 8) -> np.ndarray:
    """(B, H, W) uint8 of 0 and 1."""
    rows, columns = np.indices((height, width)) // field
    return np.repeat(((rows + columns) % 2)[None], COUNT, axis=0).astype(np.uint8)
