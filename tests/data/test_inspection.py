"""Test inspection on data with known faults."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra.numpy import arrays

from marsseg_core.data.arrays import SegmentationData
from marsseg_core.data.duplicates import image_copies, mask_groups
from marsseg_core.data.findings import findings, listed, summary
from marsseg_core.data.inspection import Inspection, inspect
from marsseg_core.data.labels import rims, strip_widths
from marsseg_core.data.split_options import SplitOptions
from marsseg_core.figures.inspection import inspection_page

CLASSES = ("background", "soil", "bedrock", "sand", "rock")


def noise(count: int, seed: int = 0, size: tuple[int, int] = (32, 48)) -> np.ndarray:
    """Return random images (count, *size, 1), all different."""
    return np.random.default_rng(seed).integers(0, 256, (count, *size, 1), np.uint8)


def patches(count: int, seed: int = 1, size: tuple[int, int] = (32, 48)) -> np.ndarray:
    """Return masks (count, *size) of random blocks of 8 × 8 pixels of the classes 1 to 4."""
    blocks = np.random.default_rng(seed).integers(1, 5, (count, size[0] // 8, size[1] // 8), np.uint8)
    return blocks.repeat(8, axis=1).repeat(8, axis=2)


def data(images: np.ndarray, masks: np.ndarray, **values) -> SegmentationData:
    return SegmentationData(images, masks, CLASSES, (0,), source="made", **values)


def look(given: SegmentationData, unlabelled: np.ndarray | None = None) -> Inspection:
    return inspect(given, unlabelled, SplitOptions())


@pytest.fixture
def clean() -> SegmentationData:
    """Return 40 items without a fault."""
    return data(noise(40), patches(40))


def test_clean_data_has_no_findings(clean):
    found = look(clean)
    assert [each.name for each in findings(found) if each.count] == []
    assert found.leaks == ()


def test_counts_sizes_and_values(clean):
    images = clean.images // 2 + 10
    found = look(replace(clean, images=images, groups=np.arange(40) // 4), noise(7))
    assert (found.images, found.unlabelled, found.size, found.groups) == (40, 7, (32, 48, 1), 10)
    assert (found.values.lowest, found.values.highest) == (10, 137)
    assert found.values.mean == pytest.approx(images.mean())
    assert found.values.zero == 0
    assert summary(found)[0] == "made: 40 labelled images of 32 × 48, grey; 7 without labels; 10 groups"
    one = replace(found, images=1, unlabelled=0, groups=1)
    assert summary(one)[0] == "made: 1 labelled image of 32 × 48, grey; 1 group"


def test_shares_images_and_weights_of_classes():
    masks = np.ones((20, 8, 8), np.uint8)
    masks[:10, 0, 0] = 4  # 10 of 1280 pixels, in 10 images
    masks[10:, :4] = 0
    soil, background = 1280 - 10 - 320, 320
    found = look(data(noise(20, size=(8, 8)), masks))
    by_name = {each.name: each for each in found.classes}
    assert by_name["rock"].pixels == by_name["rock"].images == 10
    assert by_name["soil"].share == soil / 1280
    assert by_name["background"].pixels == background
    assert by_name["soil"].weight == pytest.approx(1280 / (5 * soil))
    assert by_name["soil"].weight_labelled == pytest.approx((soil + 10) / (4 * soil))
    assert by_name["rock"].weight == by_name["rock"].weight_labelled == 10  # capped
    assert by_name["background"].weight is None  # it is ignored
    assert by_name["bedrock"].weight is None  # it has no pixels


def test_void_is_no_class(clean):
    masks = clean.masks.copy()
    masks[:, :, :24] = 255
    found = look(replace(clean, masks=masks))
    assert found.masks.void_pixels == 40 * 32 * 24
    assert sum(each.share for each in found.classes) == pytest.approx(1)


def test_different_images_with_one_mask_are_aliens(clean):
    masks = clean.masks.copy()
    masks[[3, 8, 30]] = masks[3]
    found = look(replace(clean, masks=masks))
    assert found.aliens == ((3, 8, 30),)
    assert found.identical_masks == ()


def test_images_with_one_mask_of_a_single_class_are_no_aliens(clean):
    masks = clean.masks.copy()
    masks[[3, 8]] = 2
    masks[[5, 9], :, :10] = 0
    masks[[5, 9], :, 10:] = 1  # background is ignored
    found = look(replace(clean, masks=masks))
    assert found.aliens == ()
    assert found.identical_masks == ((3, 8), (5, 9))
    assert found.masks.uniform == (3, 8)
    assert found.masks.single == (3, 5, 8, 9)


def test_a_copy_of_image_and_mask_is_no_alien(clean):
    images, masks = clean.images.copy(), clean.masks.copy()
    images[8], masks[8] = images[3], masks[3]
    found = look(replace(clean, images=images, masks=masks))
    assert found.aliens == ()
    assert found.identical_images == found.near_images == found.identical_masks == ((3, 8),)


def test_masks_without_a_label_are_not_reported_as_identical(clean):
    masks = clean.masks.copy()
    masks[[3, 8]], masks[[4, 9]] = 255, 0
    found = look(replace(clean, masks=masks))
    assert found.masks.empty == (3, 4, 8, 9)
    assert found.identical_masks == found.aliens == ()


@pytest.mark.parametrize(
    "change",
    [
        lambda image, rng: np.clip(image * 0.8 + 20, 0, 255),
        lambda image, rng: np.clip(image + rng.normal(0, 2, image.shape), 0, 255),
    ],
    ids=["another exposure", "a little noise"],
)
def test_a_slightly_changed_image_is_nearly_identical(real_like, change):
    again = change(real_like[:1].astype(float), np.random.default_rng(0)).astype(np.uint8)
    copies = image_copies(np.concatenate([real_like, again]))
    assert copies.identical == ()
    assert copies.near == ((0, len(real_like)),)


@pytest.mark.parametrize(
    "change",
    [lambda image: image[:, :, ::-1], lambda image: 255 - image, lambda image: np.roll(image, 9, axis=2)],
    ids=["mirrored", "negative", "shifted"],
)
def test_a_mirrored_negative_or_shifted_image_is_not_nearly_identical(real_like, change):
    assert image_copies(np.concatenate([real_like, change(real_like[:1])])).near == ()


@pytest.fixture(scope="module")
def real_like() -> np.ndarray:
    """Return synthetic scenes, all different."""
    from marsseg_plugins.datasets.synthetic import Synthetic

    return Synthetic(count=12).load().images


def test_flat_images_are_copies_only_when_equal():
    flat = np.broadcast_to(np.array([10, 90, 90, 200], np.uint8)[:, None, None, None], (4, 16, 20, 1))
    copies = image_copies(np.ascontiguousarray(flat))
    assert copies.near == copies.identical == ((1, 2),)
    assert look(data(np.ascontiguousarray(flat), patches(4, size=(16, 24))[:, :, :20])).values.flat == (0, 1, 2, 3)


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (40, 1), (5, 3), (200, 300)])
def test_copies_are_found_at_any_size_and_with_colours(size):
    images = np.random.default_rng(0).integers(0, 256, (3, *size, 3), np.uint8)
    images[2] = images[0]
    assert image_copies(images).identical == ((0, 2),)


def test_copies_between_labelled_and_unlabelled_images(clean):
    unlabelled = noise(5, seed=9)
    unlabelled[1] = clean.images[7]
    unlabelled[4] = unlabelled[2]
    found = look(clean, unlabelled)
    assert found.also_unlabelled == (((7,), (1,)),)
    assert found.unlabelled_copies == ((2, 4),)
    assert found.near_images == ()


def test_unlabelled_images_of_another_size_are_not_compared(clean):
    assert look(clean, noise(5, size=(10, 10))).also_unlabelled == ()


def test_masks_without_labels_are_empty(clean):
    masks = clean.masks.copy()
    masks[4], masks[9] = 0, 255
    assert look(replace(clean, masks=masks)).masks.empty == (4, 9)


def test_interpolated_ids_give_rims(clean):
    masks = clean.masks.copy()
    masks[6, :, :20], masks[6, :, 20], masks[6, :, 21:] = 1, 2, 3
    masks[11, :12], masks[11, 12], masks[11, 13:] = 1, 0, 3  # a gap of background between two drawn polygons
    found = look(replace(clean, masks=masks)).masks
    assert (found.rims, found.rim_pixels) == ((6,), 32)
    assert (found.gaps, found.gap_pixels) == ((11,), 48)


def test_a_line_of_two_pixels_or_beside_void_is_no_rim():
    mask = np.ones((1, 9, 12), np.uint8)
    mask[:, :, 4:6], mask[:, :, 6:] = 2, 3
    assert not any(found.any() for found in rims(mask))
    mask[:, :, 5:] = 255
    assert not any(found.any() for found in rims(mask))


@given(arrays(np.uint8, st.tuples(st.just(2), st.integers(1, 9), st.integers(1, 9)), elements=st.integers(0, 4)))
def test_rims_do_not_depend_on_the_orientation(masks):
    for turn in (lambda m: m[:, ::-1], lambda m: m[:, :, ::-1], lambda m: m.transpose(0, 2, 1)):
        for found, turned in zip(rims(masks), rims(turn(masks)), strict=True):
            np.testing.assert_array_equal(turn(found), turned)


def test_widths_of_strips_along_edges():
    masks = np.full((3, 20, 30), 2, np.uint8)
    masks[0, :3] = 0
    masks[1, :, -5:] = 255
    masks[2, -12:] = 0  # wider than a strip: sky
    assert strip_widths(masks, (0,), 8).tolist() == [[3, 0, 0, 0], [0, 0, 0, 5], [0, 0, 0, 0]]
    found = look(data(noise(3, size=(20, 30)), masks)).masks
    assert found.strips == {"top": (0,), "bottom": (), "left": (), "right": (1,)}
    assert found.strip_widths == {"top": 3.0, "bottom": None, "left": None, "right": 5.0}


def test_copies_and_aliens_in_several_subsets_are_leaks(clean):
    images, masks = np.repeat(clean.images, 2, axis=0), patches(80)
    masks[20:40] = masks[20]
    found = look(data(images, masks))
    assert {leak.kind for leak in found.leaks} == {"identical images", "one mask (aliens)"}
    for leak in found.leaks:
        assert len(leak.subsets) > 1
        assert leak.items == tuple(sorted(item for items in leak.subsets.values() for item in items))
    assert sum(found.subsets.values()) == 80


def test_groups_in_one_subset_are_no_leaks(clean):
    images = np.repeat(clean.images, 2, axis=0)
    found = look(data(images, patches(80), groups=np.arange(80) // 2))
    assert len(found.identical_images) == 40
    assert found.leaks == ()


def test_data_that_cannot_be_split_is_reported(clean):
    found = look(replace(clean, groups=np.zeros(40, int)))
    assert found.subsets is None
    assert "subset would be empty" in found.unsplit
    assert "subset would be empty" in summary(found)[-1]


def test_exactly_the_aliens_of_a_synthetic_set_are_found():
    from marsseg_plugins.datasets.synthetic import Synthetic

    made = Synthetic(count=150, aliens=9, shares="course")
    assert mask_groups(made.load())[0] == (made.alien_items(),)


def test_the_page_shows_the_findings_in_a_single_file(clean):
    images, masks = clean.images.copy(), clean.masks.copy()
    masks[[3, 8, 30]] = masks[3]
    images[12] = images[11]
    masks[5] = 0
    masks[6, :, :20], masks[6, :, 20], masks[6, :, 21:] = 1, 2, 3
    masks[7, :3] = 0
    named = replace(
        clean,
        images=images,
        masks=masks,
        class_names=("background", "soil", "<b>rock</b>", "sand", "$rock"),
    )
    page = inspection_page(look(named, images[20:22]), named, images[20:22])
    for heading in ("Aliens", "Nearly identical", "Labelled, and", "Nothing labelled", "Label rims", "Strips", "Leak"):
        assert f"<h3>{heading}" in page
    assert "&lt;b&gt;rock" in page
    assert "<b>rock" not in page
    assert "$rock" in page
    assert "http" not in page
    assert "<script" not in page
    assert page.count("data:image/png;base64,") > 15


def test_the_page_of_clean_data_has_nothing_to_show(clean):
    assert "Nothing to show." in inspection_page(look(clean), clean, None)


def test_items_are_listed_up_to_a_number():
    assert listed([(1, 2), (5, 9, 12)], most=4) == "1, 2; 5, 9, …"
    assert listed([(1, 2), (5,)], most=2) == "1, 2; …"
    assert listed([(1, 2), (5,)], most=3) == "1, 2; 5"
    assert listed([], most=3) == ""


def test_items_are_listed_by_their_names():
    assert listed([(1, 2), (5,)], most=3, names={1: "a.png", 5: "b.png"}) == "a.png, 2; b.png"


def test_findings_and_pictures_have_the_names_of_items_and_numbers_remain():
    images, masks = noise(30), patches(30)
    images[7], masks[4] = images[3], 0
    unlabelled = noise(3, seed=5)
    unlabelled[2] = unlabelled[1]
    named = data(images, masks, names=[f"site/{item}.png" for item in range(30)])
    found = look(named, unlabelled)
    assert (found.identical_images, found.masks.empty) == (((3, 7),), (4,))
    assert {item: found.names[item] for item in (3, 4, 7)} == {3: "site/3.png", 4: "site/4.png", 7: "site/7.png"}
    assert found.to_json()["names"] == found.names
    assert set(found.names) == found.items()
    page = inspection_page(found, named, unlabelled)
    assert "<figcaption>site/4.png</figcaption>" in page
    assert "site/3.png, site/7.png" in page
    assert "Items are numbered" not in page
    nameless = look(replace(named, names=None))
    assert nameless.names == {}
    assert "Items are numbered" in inspection_page(nameless, replace(named, names=None), None)


def test_items_without_labels_have_no_names():
    labelled = data(noise(30), patches(30), names=[f"{item}.png" for item in range(30)])
    unlabelled = noise(3, seed=5)
    unlabelled[2] = unlabelled[1]
    (row,) = [each for each in findings(look(labelled, unlabelled)) if each.name == "copies without labels"]
    assert (row.groups, row.labelled) == (((1, 2),), False)


def test_the_real_tiles_have_copies_but_no_aliens(real_tiles):
    from marsseg_plugins.datasets.npz import Npz

    source = Npz(str(real_tiles))
    found = look(source.load(), source.unlabelled())
    assert found.aliens == ()
    assert found.near_images[:2] == ((166, 167), (379, 380, 402))
    assert found.leaks == ()  # groups of places keep the copies together
    assert [each.images for each in found.classes if each.name == "big_rock"] == [176]
