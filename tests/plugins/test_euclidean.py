"""Distances and contours by OpenCV are those of SciPy, to the last bit."""

import numpy as np
import pytest
from scipy import ndimage

from marsseg_plugins.euclidean import distances_to, rectangle_around
from marsseg_plugins.losses.distances import signed_distances
from marsseg_plugins.metrics.boundaries import _near_others

VOID = 255


def some_pixels():
    """Pixels that are True in arrays of several sizes, from one to all of them."""
    random = np.random.default_rng(0)
    for shape in [(1, 1), (1, 30), (25, 1), (2, 3), (24, 40), (37, 19)]:
        for share in (0, 0.01, 0.3, 1):
            pixels = random.random(shape) < share
            pixels[random.integers(shape[0]), random.integers(shape[1])] = True
            yield pixels


def test_distances_are_those_of_scipy():
    for pixels in some_pixels():
        np.testing.assert_array_equal(distances_to(pixels), ndimage.distance_transform_edt(~pixels))


def test_long_distances_are_those_of_scipy():
    pixels = np.zeros((600, 700), bool)
    pixels[[0, 599, 250], [3, 650, 300]] = True
    np.testing.assert_array_equal(distances_to(pixels), ndimage.distance_transform_edt(~pixels))


def test_the_rectangle_has_all_pixels_and_touches_them():
    for pixels in some_pixels():
        inside = pixels[rectangle_around(pixels)]
        assert inside.sum() == pixels.sum()
        assert all(edge.any() for edge in (inside[0], inside[-1], inside[:, 0], inside[:, -1]))


@pytest.mark.parametrize("ignore_classes", [(), (0, 3)])
def test_signed_distances_are_those_of_scipy_over_the_whole_image(ignore_classes):
    """They are computed only where there are labels."""
    random = np.random.default_rng(0)
    masks = random.integers(0, 5, (6, 12, 9), np.uint8).repeat(4, axis=1).repeat(3, axis=2)
    masks[:, :, :7], masks[:, 40:] = VOID, VOID
    masks[5] = VOID
    counted = [c for c in range(5) if c not in ignore_classes]
    for mask, maps in zip(masks, signed_distances(masks, 5, ignore_classes), strict=True):
        expected = np.zeros(maps.shape, np.float32)
        present = [c for c in counted if (mask == c).any()]
        for c in present:
            others = np.isin(mask, [each for each in present if each != c])
            outside, inside = (ndimage.distance_transform_edt(~pixels) for pixels in (mask == c, others))
            expected[..., c] = np.where(mask == c, 1 - inside, np.where(others, outside, 0))
        np.testing.assert_array_equal(maps, expected)


@pytest.mark.parametrize("width", [1, 2, 7, 40])
def test_pixels_near_other_classes_are_those_of_scipy(width):
    random = np.random.default_rng(width)
    for shape in [(30, 41), (1, 20), (17, 1)]:
        inside, valid = random.random(shape) < 0.8, random.random(shape) < 0.9
        near = ndimage.maximum_filter(valid & ~inside, size=2 * width + 1, mode="constant", cval=0)
        np.testing.assert_array_equal(_near_others(inside, valid, width), near & inside & valid)
