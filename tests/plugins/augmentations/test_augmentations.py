"""Where augmentations move the ground, how they tone and cover it.

What every augmentation keeps to is in the contract (test_contract_augmentations.py).
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from scipy import ndimage

from marsseg_core.conventions import VOID
from marsseg_core.data.arrays import SegmentationData
from marsseg_core.data.batches import TrainingBatches
from marsseg_core.data.warps import Warp
from marsseg_plugins.augmentations.blur import Blur
from marsseg_plugins.augmentations.brightness import Brightness
from marsseg_plugins.augmentations.contrast import Contrast
from marsseg_plugins.augmentations.elastic import Elastic
from marsseg_plugins.augmentations.erase import Erase
from marsseg_plugins.augmentations.gridmask import GridMask
from marsseg_plugins.augmentations.hflip import HFlip
from marsseg_plugins.augmentations.noise import Noise
from marsseg_plugins.augmentations.rotate import Rotate
from marsseg_plugins.augmentations.shear import Shear
from marsseg_plugins.augmentations.translate import Translate
from marsseg_plugins.augmentations.vflip import VFlip
from marsseg_plugins.augmentations.zoom import Zoom

FLIPS = {"hflip": HFlip(), "vflip": VFlip()}
WARPS = {
    "rotate": Rotate(degrees=40),
    "translate": Translate(rows=0.3, columns=0.3),
    "zoom": Zoom(smallest=0.5, largest=2),
    "shear": Shear(degrees=30),
    "elastic": Elastic(pixels=2, sigma=5),
}
COVERS = {
    "erase": Erase(area=0.4, count=2),
    "erase noise": Erase(area=0.4, fill="noise", labels="keep"),
    "gridmask": GridMask(),
    "gridmask black": GridMask(fill="black", labels="keep"),
}


def each(augmentations):
    return pytest.mark.parametrize("augmentation", augmentations.values(), ids=augmentations)


def generators(count=4, seed=0):
    return [np.random.default_rng([seed, i]) for i in range(count)]


def scene(count=4, height=24, width=40, channels=1, seed=0):
    """Noise in [0, 1] with labels 0, 1, 2, 3 and some void."""
    random = np.random.default_rng(seed)
    images = random.random((count, height, width, channels), np.float32)
    masks = random.choice([0, 1, 2, 3, VOID], (count, height, width)).astype(np.uint8)
    return images, masks


def applied(augmentation, images, masks, seed=0):
    """Apply an augmentation to copies, because it may change its arguments in place."""
    return augmentation.apply(images.copy(), masks.copy(), generators(len(images), seed))


def warped(images, masks, warp):
    images, masks = images.copy(), masks.copy()
    for image, mask in zip(images, masks, strict=True):
        warp.apply(image, mask)
    return images, masks


# --- geometry


@each(FLIPS | {"translate": WARPS["translate"]})
def test_whole_pixels_are_not_interpolated(augmentation):
    images, _ = scene()
    masks = (images[..., 0] * 250).astype(np.uint8)
    new_images, new_masks = applied(augmentation, images, masks)
    inside = new_masks != VOID
    np.testing.assert_array_equal((new_images[..., 0] * 250).astype(np.uint8)[inside], new_masks[inside])


def test_flips():
    images, masks = scene()
    for augmentation, axis in ((HFlip(), 2), (VFlip(), 1)):
        new_images, new_masks = applied(augmentation, images, masks)
        np.testing.assert_array_equal(new_images, np.flip(images, axis))
        np.testing.assert_array_equal(new_masks, np.flip(masks, axis))


@each(WARPS | {"zoom": Zoom(smallest=0.5, largest=0.6)})
def test_pixels_from_outside_are_void(augmentation):
    images, masks = np.full((4, 24, 40, 1), 0.5, np.float32), np.ones((4, 24, 40), np.uint8)
    new_images, new_masks = applied(augmentation, images, masks)
    assert all(set(mask.flat) == {1, VOID} for mask in new_masks)
    # The image continues with its edge pixels.
    np.testing.assert_allclose(new_images, 0.5)


def test_images_continue_as_fill_says():
    image = np.array([0.2, 0.4, 0.6], np.float32).reshape(1, 1, 3, 1)
    mask = np.ones((1, 1, 3), np.uint8)
    left = np.zeros((2, 1, 3))
    left[1] = -2
    for fill, expected in {"edge": [0.2, 0.2, 0.2], "mirror": [0.4, 0.2, 0.2], "black": [0, 0, 0.2]}.items():
        new_image, new_mask = warped(image, mask, Warp.by_offsets(left, fill))
        np.testing.assert_allclose(new_image.ravel(), expected, rtol=1e-6)
        assert new_mask.ravel().tolist() == [VOID, VOID, 1]


def test_a_pixel_reaches_half_a_pixel_around_its_centre():
    image, mask = np.ones((1, 1, 2, 1), np.float32), np.array([[[1, 2]]], np.uint8)
    for column, label in {-0.6: VOID, -0.4: 1, 0.4: 1, 0.6: 2, 1.4: 2, 1.6: VOID}.items():
        places = np.array([0, column]).reshape(2, 1, 1) * np.ones((2, 1, 2))
        assert warped(image, mask, Warp(places))[1].ravel().tolist() == [label, label]


def test_a_quarter_turn():
    images, masks = scene(height=16, width=16)
    quarter = Warp.about_centre(np.array([[0, 1], [-1, 0]]), 16, 16)
    new_images, new_masks = warped(images, masks, quarter)
    np.testing.assert_allclose(new_images, np.rot90(images, axes=(1, 2)), atol=1e-6)
    np.testing.assert_array_equal(new_masks, np.rot90(masks, axes=(1, 2)))


class Extreme:
    """A generator that always draws the upper bound."""

    def uniform(self, low, high):
        return high


def extreme(augmentation, masks):
    images = np.zeros((*masks.shape, 1), np.float32)
    return augmentation.apply(images, masks.copy(), [Extreme()] * len(masks))[1]


def marked(height, width, row, column):
    masks = np.zeros((1, height, width), np.uint8)
    masks[0, row, column] = 1
    return masks


def place_of_mark(masks):
    return ndimage.center_of_mass(masks[0] == 1)


def test_a_marked_pixel_moves_to_the_right_place():
    """One spot, 4 pixels to the right of the centre of 21 × 21."""
    spot = marked(21, 21, slice(9, 12), slice(13, 16))
    assert place_of_mark(extreme(Rotate(degrees=90), spot)) == pytest.approx((6, 10))
    assert place_of_mark(extreme(Translate(rows=0.1, columns=0.2), spot)) == pytest.approx((12, 18))
    nearer = marked(21, 21, slice(9, 12), slice(11, 14))
    assert place_of_mark(extreme(Zoom(smallest=1, largest=3), nearer)) == pytest.approx((10, 16))
    upright = marked(21, 21, slice(0, 21), 10)
    leaning = extreme(Shear(degrees=45), upright)[0]
    assert np.argwhere(leaning == 1).tolist() == [[row, 20 - row] for row in range(21)]


def test_elastic_filters_mirrored_noise():
    height, width = 30, 50
    noise = np.random.default_rng(3).standard_normal((2, height, width), np.float32)
    field = ndimage.gaussian_filter(noise.astype(float), (0, 6.5, 6.5), truncate=3)
    field *= 2 / np.sqrt(np.mean(field**2, axis=(1, 2), keepdims=True))
    places = Elastic(pixels=2, sigma=6.5).warp(height, width, np.random.default_rng(3)).places
    np.testing.assert_allclose(places, np.indices((height, width)) + field, atol=1e-4)


def test_elastic_moves_by_the_requested_pixels():
    """A ramp shows where each pixel came from."""
    height, width = 96, 128
    ramp = (np.indices((height, width))[1] / (width - 1)).astype(np.float32)
    images = np.repeat(ramp[None, ..., None], 4, axis=0)
    new_images, new_masks = applied(Elastic(pixels=3, sigma=10), images, np.zeros((4, height, width), np.uint8))
    moved = (new_images[..., 0] - ramp) * (width - 1)
    middle = moved[:, :, 20:-20]
    assert np.sqrt(np.mean(middle**2)) == pytest.approx(3, rel=0.25)
    assert np.abs(np.diff(middle, axis=2)).max() < 1.5
    assert (new_masks == VOID).mean() < 0.1


def test_threads_change_nothing():
    """Also with OpenCV's own, which are limited to one."""
    images, masks = scene(count=24, channels=3)
    data = SegmentationData((images * 255).astype(np.uint8), masks, tuple("abcd"))
    chain = [*WARPS.values(), *FLIPS.values(), Blur(), Noise(), Erase(), WARPS["rotate"]]
    transforms = [(augmentation.prepare(data, np.arange(24)), 0.7) for augmentation in chain]
    batches = TrainingBatches(data, np.arange(24), transforms, batch=4, seed=1)
    alone = [batches[i] for i in range(len(batches))]
    cv2.setNumThreads(4)
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(batches.__getitem__, range(len(batches))))
    for one, other in zip(alone, together, strict=True):
        for first, second in zip(one, other, strict=True):
            np.testing.assert_array_equal(first, second)


# --- tones


def test_brightness_adds_and_clips():
    images, masks = scene()
    brightened = Brightness(strength=0.25).apply(images.copy(), masks, [Extreme()] * 4)[0]
    np.testing.assert_allclose(brightened, np.minimum(images + 0.25, 1), rtol=1e-6)


def test_contrast_stretches_about_the_mean():
    images = np.array([[0.4, 0.5], [0.5, 0.6]], np.float32).reshape(1, 2, 2, 1)
    stretched = Contrast(strength=0.5).apply(images, np.zeros((1, 2, 2), np.uint8), [Extreme()])[0]
    np.testing.assert_allclose(stretched.ravel(), [0.35, 0.5, 0.5, 0.65], rtol=1e-6)


def test_noise_has_at_most_the_requested_deviation():
    images = np.full((8, 64, 64, 1), 0.5, np.float32)
    deviations = applied(Noise(sigma=0.05), images, np.zeros((8, 64, 64), np.uint8))[0].std(axis=(1, 2, 3))
    assert deviations.max() < 0.055
    assert np.ptp(deviations) > 0.005


def test_noise_is_normally_distributed():
    images, masks = np.full((1, 300, 300, 1), 0.5, np.float32), np.zeros((1, 300, 300), np.uint8)
    noise = (Noise(sigma=0.08).apply(images, masks, [np.random.default_rng(0)])[0] - 0.5).ravel()
    noise /= np.random.default_rng(0).uniform(0, 0.08)
    for deviations, share in {-2: 0.0228, -1: 0.1587, 0: 0.5, 1: 0.8413, 2: 0.9772}.items():
        assert (noise < deviations).mean() == pytest.approx(share, abs=0.005)
    assert 3.5 < np.abs(noise).max() < 4.4


def test_blur_is_a_gaussian_filter_over_repeated_edges():
    images, masks = scene(channels=5)
    blurred = applied(Blur(sigma=3), images, masks)[0]
    for image, new, generator in zip(images, blurred, generators(), strict=True):
        sigma = generator.uniform(0, 3)
        expected = ndimage.gaussian_filter(image.astype(float), (sigma, sigma, 0), mode="nearest")
        np.testing.assert_allclose(new, expected, atol=1e-6)


def test_blur_keeps_colours_apart_and_the_mean():
    images = np.zeros((1, 33, 33, 2), np.float32)
    images[0, 16, 16, 0] = 1
    blurred = applied(Blur(sigma=2), images, np.zeros((1, 33, 33), np.uint8))[0]
    assert blurred[..., 1].max() == 0
    assert blurred[..., 0].sum() == pytest.approx(1, rel=1e-4)
    assert blurred[..., 0].max() < 1


# --- covering


@each(COVERS)
def test_only_covered_pixels_change(augmentation):
    images, masks = scene(height=64, width=64)
    masks[masks == VOID] = 0
    new_images, new_masks = applied(augmentation, images, masks)
    covered = (new_images != images).any(axis=-1)
    assert covered.any()
    if augmentation.labels == "keep":
        np.testing.assert_array_equal(new_masks, masks)
    else:
        np.testing.assert_array_equal(new_masks == VOID, covered)
        np.testing.assert_array_equal(new_masks[~covered], masks[~covered])
    if augmentation.fill == "black":
        assert (new_images[covered] == 0).all()
    if augmentation.fill == "mean":
        for i, image in enumerate(images):
            np.testing.assert_allclose(new_images[i][covered[i]], image.mean(), rtol=1e-5)


def test_all_rectangles_are_covered_with_the_colour_of_the_whole_image():
    images, masks = scene(count=8, height=32, width=32, channels=3)
    new_images, new_masks = applied(Erase(area=0.5, count=5), images, masks)
    for image, new, mask in zip(images, new_images, new_masks, strict=True):
        changed = (new != image).all(axis=-1)
        assert changed.any()
        assert (mask[changed] == VOID).all()
        np.testing.assert_allclose(new[changed] - image.mean(axis=(0, 1)), 0, atol=1e-5)


@settings(max_examples=30)
@given(st.integers(0, 10**6), st.floats(0, 1), st.floats(1, 10))
def test_erase_covers_one_rectangle_of_limited_area(seed, area, aspect):
    masks = np.zeros((1, 32, 48), np.uint8)
    new_masks = applied(Erase(area=area, aspect=aspect), np.zeros((1, 32, 48, 1), np.float32), masks, seed)[1]
    rows, columns = np.nonzero(new_masks[0] == VOID)
    if rows.size:
        sides = np.ptp(rows) + 1, np.ptp(columns) + 1
        assert rows.size == sides[0] * sides[1]
        # Sides are rounded to pixels.
        assert (sides[0] - 0.5) * (sides[1] - 0.5) <= area * 32 * 48


def test_gridmask_covers_the_requested_share_in_squares():
    masks = np.zeros((16, 128, 128), np.uint8)
    covered = applied(GridMask(covered=0.5), np.zeros((16, 128, 128, 1), np.float32), masks)[1] == VOID
    assert covered.mean() == pytest.approx(0.25, abs=0.03)
    for grid in covered:
        np.testing.assert_array_equal(grid, grid.any(axis=1)[:, None] & grid.any(axis=0))


def test_a_lower_bound_above_the_upper_one_is_refused():
    with pytest.raises(ValueError, match="smallest=2 is above largest=1"):
        Zoom(smallest=2, largest=1)
    with pytest.raises(ValueError, match=r"smallest=1 is above largest=0\.5"):
        GridMask(smallest=1, largest=0.5)
