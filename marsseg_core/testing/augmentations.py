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

from ..components.interfaces import Augmentation
from ..conventions import VOID
from ..data.arrays import SegmentationData
from .components import ComponentContract, assert_same

COUNT = 4
CLASSES = 5
# Labels whose means are no labels: what interpolates them is seen. One set for each image of a batch.
LABELS = ((0, 4), (3, VOID), (1,), (0, 2, 4, VOID))
SHAPES = [(24, 40, 1), (24, 40, 3), (17, 31, 1), (40, 24, 4)]

# Where marks are set, row and column, in images of 40 by 56: no mirroring or half turn takes one to its own place.
PLACES = [(8, 10), (8, 36), (26, 18), (28, 44)]
MARK = CLASSES - 1  # a label that `make_data` has not


class AugmentationContract(ComponentContract):
    """What every augmentation keeps to; a subclass sets `component`.

    It says by `geometric` that it moves the ground, image and mask alike, by `mixes` that it brings in parts of other
    images with their labels, by `leaves_masks` that masks stay as they are, and by `draws = False` that it does the
    same to every image. `nothing` is the component with the parameters at which it changes nothing, if there are some.
    One that is neither `geometric` nor `mixes` leaves each label where it is, or makes it void.
    """

    component: ClassVar[Augmentation]
    geometric: ClassVar[bool] = False
    mixes: ClassVar[bool] = False
    leaves_masks: ClassVar[bool] = False
    draws: ClassVar[bool] = True
    nothing: ClassVar[Augmentation | None] = None

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
        sees_others = type(self.component).prepare is not Augmentation.prepare
        others = set(np.unique(data.masks[: len(data) // 2]).tolist()) if sees_others else set()
        for seed in range(5):
            images, masks = make_batch(shape, seed)
            images[seed % COUNT] = seed % 2  # all white or all black
            new_images, new_masks = self.apply(images, masks, seed, data=data)
            for what, new, old in (("images", new_images, images), ("masks", new_masks, masks)):
                assert new.shape == old.shape, f"{what} of shape {old.shape} come out as {new.shape}"
                assert new.dtype == old.dtype, f"{what} come out as {new.dtype}, not {old.dtype}"
            assert np.isfinite(new_images).all(), "images come out with values that are no finite numbers"
            lowest, highest = new_images.min(), new_images.max()
            assert 0 <= lowest <= highest <= 1, f"images come out from {lowest:g} to {highest:g}: clip them to [0, 1]"
            for before, after in zip(masks, new_masks, strict=True):
                had = set(np.unique(before).tolist())
                strange = set(np.unique(after).tolist()) - had - {VOID} - others
                assert not strange, f"labels {strange} come out of a mask that has {had}: never interpolate labels"

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
        for what, first, second in zip(("images", "masks"), *found, strict=True):
            assert_same(second, first, f"{what} are others with the same generators: draw from `generators` alone")

    def test_what_happens_to_an_image_depends_on_it_alone(self) -> None:
        """Not on the others of its batch, nor on their order."""
        images, masks = make_batch()
        together = self.apply(images, masks)
        for chosen in (*(slice(i, i + 1) for i in range(COUNT)), slice(None, None, -1)):
            for part, whole in zip(self.apply(images, masks, chosen=chosen), together, strict=True):
                what = "what becomes of an image depends on the others of its batch: draw from its own generator"
                assert_same(part, whole[chosen], what)

    def test_other_generators_give_something_else(self) -> None:
        if not self.draws:
            pytest.skip("it does the same to every image")
        images, masks = make_batch()
        first, second = (self.apply(images, masks, seed)[0] for seed in (0, 1))
        assert (first != second).any(), "other generators give the same images; one that never draws: draws = False"
        alike = self.apply(np.repeat(images[:1], COUNT, axis=0), np.repeat(masks[:1], COUNT, axis=0))[0]
        assert (alike[1:] != alike[0]).any(), "every image of a batch has the same draw: use each one's own generator"

    def test_it_changes_something(self) -> None:
        images, masks = make_batch()
        changed = (self.apply(images, masks)[0] != images).any()
        assert changed, f"it leaves {COUNT} images as they are: give the component stronger parameters"

    def test_at_no_strength_nothing_changes(self) -> None:
        if self.nothing is None:
            pytest.skip("it has no parameters at which it changes nothing")
        images, masks = make_batch((24, 40, 3))
        new_images, new_masks = self.apply(images, masks, component=self.nothing)
        assert_same(new_images, images, "`nothing` changes images")
        assert_same(new_masks, masks, "`nothing` changes masks")

    def test_the_mask_stays_as_it_is(self) -> None:
        if not self.leaves_masks:
            pytest.skip("it changes masks")
        images, masks = make_batch()
        assert_same(self.apply(images, masks)[1], masks, "leaves_masks = True, and it changes masks")

    def test_labels_keep_their_places_unless_it_moves_or_mixes(self) -> None:
        if self.geometric or self.mixes:
            pytest.skip("it moves the ground, or mixes images")
        for seed in range(5):
            images, masks = make_batch(seed=seed)
            after = self.apply(images, masks, seed)[1]
            changed = np.count_nonzero((after != masks) & (after != VOID))
            assert not changed, (
                f"{changed} of {masks.size} labels become others: of one that moves images and masks alike, the test "
                "says geometric = True, of one that brings in parts of other images with their labels, mixes = True; "
                f"any other changes a label to void ({VOID}) alone"
            )

    def test_image_and_mask_move_together(self) -> None:
        """Whatever it says of itself: a mark in an image comes to where its labels do, if both are still there."""
        for row, column in PLACES:
            images, masks = make_batch((40, 56, 1))
            masks[:] = 0
            marked = np.s_[:, row - 1 : row + 2, column - 1 : column + 2]
            masks[marked] = MARK
            images[marked] /= 2
            brighter = images.copy()
            brighter[marked] += 0.5
            for seed in range(3):
                (dark, labels), (bright, _) = (self.apply(each, masks, seed) for each in (images, brighter))
                for change, label in zip(np.abs(bright - dark).max(axis=-1), labels, strict=True):
                    seen, labelled = (change > change.max() / 2) & (change > 0.03), label == MARK
                    if not (seen.any() and labelled.any()):
                        continue  # covered, or moved out of sight
                    # Images are interpolated and labels are not: a pixel more to each side.
                    around = np.lib.stride_tricks.sliding_window_view(np.pad(labelled, 1), (3, 3)).any(axis=(2, 3))
                    shown, said = (np.argwhere(each).mean(axis=0).round().astype(int) for each in (seen, labelled))
                    assert (seen & around).any(), (
                        f"what is at row {row}, column {column} comes to {shown} in the image, and its labels to "
                        f"{said} in the mask: move both alike, by the same draw"
                    )

    @pytest.mark.parametrize("channels", [1, 3])
    def test_the_mask_moves_exactly_as_the_image(self, channels: int) -> None:
        """On boards whose images show the labels: white is 1, black 0."""
        if not (self.geometric or self.mixes):
            pytest.skip("it neither moves the ground nor mixes images, or does not say so")
        boards = checkerboards()
        images = np.repeat(boards[..., None], channels, axis=-1)
        # Boards of smaller fields are what is mixed in.
        donors = np.repeat(checkerboards(field=5), 2, axis=0)
        shown = 255 * np.repeat(donors[..., None], channels, axis=-1)
        data = SegmentationData(shown, donors, ("black", "white"))
        new_images, new_masks = self.apply(images.astype(np.float32), boards, data=data)
        assert (new_masks != boards).any(), "geometric or mixes = True, and it leaves every mask as it is"
        inside = new_masks != VOID
        assert inside.mean() > 0.3, "nearly all is void: give the component smaller parameters"
        for channel in range(channels):
            seen = new_images[..., channel]
            # The nearest of four pixels has at least a quarter of the bilinear weight; away from edges they agree.
            wrong = np.count_nonzero(np.abs(seen - new_masks)[inside] > 0.76)
            assert not wrong, f"at {wrong} of {inside.sum()} pixels the mask has not the label that the image shows"
            clear = inside & ((seen == 0) | (seen == 1))
            assert clear.mean() > 0.25, "it changes the brightness of most pixels, too: test it without that"
            assert_same(new_masks[clear], seen[clear], "the mask has not the label that the image shows")

    def test_only_the_given_items_are_looked_at(self) -> None:
        """What the other items of the data hold, such as its test subset, changes nothing."""
        images, masks = make_batch()
        data = make_data(images.shape[1:])
        half = len(data) // 2
        changed_images, changed_masks = data.images.copy(), data.masks.copy()
        changed_images[half:] = 255 - changed_images[half:]
        changed_masks[half:] = CLASSES - 1
        changed = SegmentationData(changed_images, changed_masks, data.class_names)
        for seed in range(5):
            found = (self.apply(images, masks, seed, data=each) for each in (data, changed))
            for what, first, second in zip(("images", "masks"), *found, strict=True):
                assert_same(
                    second, first, f"{what} depend on items that `prepare` was not given: look at `items` alone"
                )

    def test_the_data_stays_as_it_is(self) -> None:
        images, masks = make_batch()
        data = make_data(images.shape[1:])
        before = data.images.copy(), data.masks.copy()
        self.apply(images, masks, data=data)
        assert_same(data.images, before[0], "it changes the data's images: work on copies")
        assert_same(data.masks, before[1], "it changes the data's masks: work on copies")


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
