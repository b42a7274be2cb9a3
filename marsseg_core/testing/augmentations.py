"""The contract of an augmentation. It needs no Keras."""

from __future__ import annotations

import random
from typing import ClassVar

import numpy as np
import pytest

from ..components.interfaces import Augmentation
from ..conventions import VOID
from ..data.arrays import SegmentationData
from ..data.warps import Warp, WarpTransform
from .components import ComponentContract, assert_same

COUNT = 4
CLASSES = 5
# The labels of each image of a batch. Means of them are other labels, so an interpolation of labels is detected.
LABELS = ((0, 4), (3, VOID), (1,), (0, 2, 4, VOID))
SHAPES = [(24, 40, 1), (24, 40, 3), (17, 31, 1), (40, 24, 4)]

# Rows and columns of marks in images of 40 by 56 pixels. A flip or a half turn moves each mark to another place.
PLACES = [(8, 10), (8, 36), (26, 18), (28, 44)]
MARK = CLASSES - 1  # a label that is not in `make_data`


class AugmentationContract(ComponentContract):
    """Check an augmentation: valid images and labels, image and mask moved together, and reproducible randomness.

    An augmentation with neither `geometric` nor `mixes` must not change a label, except to void.

    Attributes:
        component: The augmentation, with parameters that change small images clearly. A subclass must set it.
        geometric: Whether it moves pixels, in image and mask alike.
        mixes: Whether it inserts parts of other images together with their labels.
        leaves_masks: Whether it never changes masks.
        draws: Whether it uses the random generators; False for one that changes every image in the same way.
        nothing: The augmentation with neutral parameters, with which it changes nothing; None if there are none.

    Example:
        ```python
        class TestMyRotation(AugmentationContract):
            component = MyRotation(degrees=40)
            geometric = True
        ```
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
        """Return copies of the `chosen` images and masks after the augmentation.

        Each image has the generator of its position in the whole batch. `component` replaces the augmentation, and
        `data` the data set, whose first half is the training subset.
        """
        generators = [np.random.default_rng([seed, i]) for i in range(len(images))]
        data = data or make_data(images.shape[1:])
        transform = (component or self.component).prepare(data, np.arange(len(data) // 2))
        augmented: tuple[np.ndarray, np.ndarray] = transform(
            images[chosen].copy(), masks[chosen].copy(), generators[chosen]
        )
        return augmented

    @pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: "x".join(map(str, shape)))
    def test_shapes_types_and_values_stay_valid(self, shape: tuple[int, int, int]) -> None:
        """Check that each label is one of its image, one of another training image, or void."""
        data = make_data(shape)
        uses_data = type(self.component).prepare is not Augmentation.prepare
        labels_of_data = set(np.unique(data.masks[: len(data) // 2]).tolist()) if uses_data else set()
        for seed in range(5):
            images, masks = make_batch(shape, seed)
            images[seed % COUNT] = seed % 2  # all white or all black
            new_images, new_masks = self.apply(images, masks, seed, data=data)
            for what, new, old in (("images", new_images, images), ("masks", new_masks, masks)):
                assert new.shape == old.shape, f"{what} of shape {old.shape} are returned with the shape {new.shape}"
                assert new.dtype == old.dtype, f"{what} are returned as {new.dtype}, not {old.dtype}"
            assert np.isfinite(new_images).all(), "images are returned with values that are not finite"
            lowest, highest = new_images.min(), new_images.max()
            assert 0 <= lowest <= highest <= 1, (
                f"images are returned with values from {lowest:g} to {highest:g}: clip them to [0, 1]"
            )
            for before, after in zip(masks, new_masks, strict=True):
                labels = set(np.unique(before).tolist())
                added = set(np.unique(after).tolist()) - labels - {VOID} - labels_of_data
                assert not added, f"a mask with the labels {labels} is returned with {added}: never interpolate labels"

    def test_all_randomness_comes_from_the_generators(self) -> None:
        images, masks = make_batch()
        states = np.random.get_state(), random.getstate()
        try:
            results = []
            for seed in (1, 2):
                np.random.seed(seed)
                random.seed(seed)
                results.append(self.apply(images, masks))
        finally:
            np.random.set_state(states[0])
            random.setstate(states[1])
        for what, first, second in zip(("images", "masks"), *results, strict=True):
            assert_same(second, first, f"{what} differ with the same generators: draw from `generators` only")

    def test_the_change_of_an_image_does_not_depend_on_its_batch(self) -> None:
        """Check it for single images of the batch, and for the batch in reversed order."""
        images, masks = make_batch()
        together = self.apply(images, masks)
        for chosen in (*(slice(i, i + 1) for i in range(COUNT)), slice(None, None, -1)):
            for part, whole in zip(self.apply(images, masks, chosen=chosen), together, strict=True):
                what = "the change of an image depends on the other images of its batch: draw from its own generator"
                assert_same(part, whole[chosen], what)

    def test_other_generators_give_something_else(self) -> None:
        if not self.draws:
            pytest.skip("it changes every image in the same way: draws is False")
        images, masks = make_batch()
        first, second = (self.apply(images, masks, seed)[0] for seed in (0, 1))
        assert (first != second).any(), (
            "other generators give the same images: if it uses no random numbers, set draws = False in the test class"
        )
        copies = self.apply(np.repeat(images[:1], COUNT, axis=0), np.repeat(masks[:1], COUNT, axis=0))[0]
        assert (copies[1:] != copies[0]).any(), (
            "all images of a batch have the same random numbers: use the generator of each image"
        )

    def test_it_changes_something(self) -> None:
        images, masks = make_batch()
        changed = (self.apply(images, masks)[0] != images).any()
        assert changed, f"it does not change any of {COUNT} images: give the component stronger parameters"

    def test_with_neutral_parameters_nothing_changes(self) -> None:
        if self.nothing is None:
            pytest.skip("it has no neutral parameters: nothing is None")
        images, masks = make_batch((24, 40, 3))
        new_images, new_masks = self.apply(images, masks, component=self.nothing)
        assert_same(new_images, images, "the component `nothing` changes images")
        assert_same(new_masks, masks, "the component `nothing` changes masks")

    def test_the_mask_is_unchanged(self) -> None:
        if not self.leaves_masks:
            pytest.skip("it changes masks: leaves_masks is False")
        images, masks = make_batch()
        assert_same(self.apply(images, masks)[1], masks, "leaves_masks is True, but it changes masks")

    def test_labels_keep_their_places_unless_it_moves_or_mixes(self) -> None:
        if self.geometric or self.mixes:
            pytest.skip("it moves pixels or mixes images")
        for seed in range(5):
            images, masks = make_batch(seed=seed)
            after = self.apply(images, masks, seed)[1]
            changed = np.count_nonzero((after != masks) & (after != VOID))
            assert not changed, (
                f"{changed} of {masks.size} labels change to other labels than void ({VOID}): if it moves pixels, set "
                "geometric = True in the test class; if it inserts parts of other images with their labels, set "
                "mixes = True"
            )

    def test_image_and_mask_move_together(self) -> None:
        """Check, for every augmentation, that a mark in an image is moved to the same place as its labels."""
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
                    in_image, in_mask = (change > change.max() / 2) & (change > 0.03), label == MARK
                    if not (in_image.any() and in_mask.any()):
                        continue  # the mark is covered, or moved out of the image
                    # Images are interpolated and labels are not, so the mark may be one pixel wider on each side.
                    around = np.lib.stride_tricks.sliding_window_view(np.pad(in_mask, 1), (3, 3)).any(axis=(2, 3))
                    image_place, mask_place = (
                        np.argwhere(each).mean(axis=0).round().astype(int) for each in (in_image, in_mask)
                    )
                    assert (in_image & around).any(), (
                        f"a mark at row {row}, column {column} is moved to {image_place} in the image, and its labels "
                        f"to {mask_place} in the mask: move both by the same random transformation"
                    )

    @pytest.mark.parametrize("channels", [1, 3])
    def test_the_mask_moves_exactly_as_the_image(self, channels: int) -> None:
        """Check it with checkerboards whose brightness is the label: 1 is white, 0 is black."""
        if not (self.geometric or self.mixes):
            pytest.skip("it neither moves pixels nor mixes images: geometric and mixes are False")
        boards = checkerboards()
        images = np.repeat(boards[..., None], channels, axis=-1)
        # The other images, which may be mixed in, have smaller fields.
        other_masks = np.repeat(checkerboards(field=5), 2, axis=0)
        other_images = 255 * np.repeat(other_masks[..., None], channels, axis=-1)
        data = SegmentationData(other_images, other_masks, ("black", "white"))
        new_images, new_masks = self.apply(images.astype(np.float32), boards, data=data)
        assert (new_masks != boards).any(), "geometric or mixes is True, but it changes no mask"
        inside = new_masks != VOID
        assert inside.mean() > 0.3, "nearly all pixels become void: give the component weaker parameters"
        for channel in range(channels):
            values = new_images[..., channel]
            # The nearest of four pixels has at least a quarter of the bilinear weight, so a value differs from the
            # label by at most 0.75. Away from edges all four pixels are equal.
            wrong = np.count_nonzero(np.abs(values - new_masks)[inside] > 0.76)
            assert not wrong, f"at {wrong} of {inside.sum()} pixels the label in the mask is not that of the image"
            clear = inside & ((values == 0) | (values == 1))
            assert clear.mean() > 0.25, "it also changes the brightness of most pixels: test it without this change"
            assert_same(new_masks[clear], values[clear], "labels in the mask are not those of the image")

    @pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: "x".join(map(str, shape)))
    def test_its_warp_can_be_joined_with_others(self, shape: tuple[int, int, int]) -> None:
        """Check that the warp has finite places for images of any size, and that it replaces `apply`."""
        if type(self.component).warp is Augmentation.warp:
            pytest.skip("it has no method `warp`")
        height, width, _ = shape
        for seed in range(5):
            first, second = (self.component.warp(height, width, np.random.default_rng(seed)) for _ in range(2))
            assert isinstance(first, Warp), f"`warp` returns a {type(first).__name__}, not a Warp"
            assert first.places.shape in ((2, 3), (2, height, width)), (
                f"`warp` returns places of shape {first.places.shape}, not (2, 3) or {(2, height, width)}"
            )
            assert np.isfinite(first.places).all(), "`warp` returns places that are not finite"
            assert_same(first.places, second.places, "`warp` differs with the same generator: draw from it only")
        transform = self.component.prepare(make_data(shape), np.arange(COUNT))
        assert isinstance(transform, WarpTransform), (
            "`warp` is not used, as `apply` or `prepare` is defined too: define one of them"
        )

    def test_only_the_training_items_are_used(self) -> None:
        """Check that the other items of the data, such as the test subset, have no effect."""
        images, masks = make_batch()
        data = make_data(images.shape[1:])
        half = len(data) // 2
        changed_images, changed_masks = data.images.copy(), data.masks.copy()
        changed_images[half:] = 255 - changed_images[half:]
        changed_masks[half:] = CLASSES - 1
        changed = SegmentationData(changed_images, changed_masks, data.class_names)
        for seed in range(5):
            results = (self.apply(images, masks, seed, data=each) for each in (data, changed))
            for what, first, second in zip(("images", "masks"), *results, strict=True):
                assert_same(
                    second, first, f"{what} depend on other items than those passed to `prepare`: use `items` only"
                )

    def test_the_data_set_is_not_changed(self) -> None:
        images, masks = make_batch()
        data = make_data(images.shape[1:])
        before = data.images.copy(), data.masks.copy()
        self.apply(images, masks, data=data)
        assert_same(data.images, before[0], "it changes the images of the data set: work on copies")
        assert_same(data.masks, before[1], "it changes the masks of the data set: work on copies")


def make_batch(shape: tuple[int, ...] = (24, 40, 1), seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return images of noise in [0, 1], (B, H, W, C) float32, and masks (B, H, W) uint8 with the labels of `LABELS`."""
    random = np.random.default_rng(seed)
    masks = np.stack([random.choice(labels, shape[:2]) for labels in LABELS])
    return random.random((COUNT, *shape), np.float32), masks.astype(np.uint8)


def make_data(shape: tuple[int, ...]) -> SegmentationData:
    """Return a data set of eight images of noise; the first four have the labels 1, 2 and void, the others only 3."""
    random = np.random.default_rng(7)
    images = random.integers(0, 256, (2 * COUNT, *shape), np.uint8)
    masks = random.choice([1, 1, 1, 2, VOID], (2 * COUNT, *shape[:2])).astype(np.uint8)
    masks[COUNT:] = 3
    return SegmentationData(images, masks, tuple("abcde"))


def checkerboards(height: int = 48, width: int = 64, field: int = 8) -> np.ndarray:
    """Return a batch of checkerboards with fields of `field` pixels, (B, H, W) uint8 with the values 0 and 1."""
    rows, columns = np.indices((height, width)) // field
    return np.repeat(((rows + columns) % 2)[None], COUNT, axis=0).astype(np.uint8)
