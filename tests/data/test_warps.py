"""Warps: places between pixels, whole pixels, any number of channels, and several joined into one."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from marsseg_core.conventions import VOID
from marsseg_core.data.opencv import by_channels, opencv
from marsseg_core.data.warps import Warp

HEIGHT, WIDTH = 24, 41
GRID = np.indices((HEIGHT, WIDTH)).astype(float)
TILT = np.array([[0.91371, 0.20713, 1.31117], [-0.25379, 1.10317, -2.41319]])
MODES = {"edge": "nearest", "mirror": "reflect", "black": "grid-constant"}  # in SciPy


def waves(places, strength=2.0):
    """Places moved along smooth waves."""
    rows, columns = places
    return np.stack([rows + strength * np.sin(columns / 5), columns + strength * np.cos(rows / 4)])


def tilted(places):
    return np.einsum("ij,jhw->ihw", TILT[:, :2], places) + TILT[:, 2].reshape(2, 1, 1)


def scene(channels=1, seed=0):
    random = np.random.default_rng(seed)
    return random.random((HEIGHT, WIDTH, channels), np.float32), random.integers(0, 5, (HEIGHT, WIDTH), np.uint8)


def warped(warp, image, mask):
    image, mask = image.copy(), mask.copy()
    warp.apply(image, mask)
    return image, mask


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5, 130])
@pytest.mark.parametrize("fill", MODES)
@pytest.mark.parametrize("places", [TILT, waves(GRID)], ids=["matrix", "field"])
def test_pixels_are_those_of_scipy_in_double_precision(channels, fill, places):
    """OpenCV 4, and version 5 with other numbers of channels, would differ by 1/64."""
    image, mask = scene(channels)
    expected = tilted(GRID) if places.ndim == 2 else places
    new_image, new_mask = warped(Warp(places, fill), image, mask)
    for channel in {0, channels // 2, channels - 1}:
        old = image[..., channel].astype(float)
        right = ndimage.map_coordinates(old, expected, order=1, mode=MODES[fill])
        np.testing.assert_allclose(new_image[..., channel], right, atol=1e-5)
    right = ndimage.map_coordinates(mask, expected, order=0, mode="grid-constant", cval=VOID)
    np.testing.assert_array_equal(new_mask, right)
    assert (new_mask == VOID).any()


@pytest.mark.parametrize("rows", [(1, 3), (1, -2), (-1, HEIGHT - 1), (-1, HEIGHT + 5), (1, HEIGHT + 30)])
@pytest.mark.parametrize("columns", [(1, 0), (1, -30), (-1, WIDTH - 1), (-1, 20), (1, -2 * WIDTH)])
def test_whole_pixels_are_moved_as_they_are(rows, columns):
    """They come from the places that a field of the same places would interpolate."""
    matrix = np.array([[rows[0], 0, rows[1]], [0, columns[0], columns[1]]])
    field = matrix.diagonal().reshape(2, 1, 1) * GRID + matrix[:, 2].reshape(2, 1, 1)
    image, mask = scene(3)
    for fill in MODES:
        for new, right in zip(
            warped(Warp(matrix, fill), image, mask), warped(Warp(field, fill), image, mask), strict=True
        ):
            np.testing.assert_array_equal(new, right)


def test_views_of_arrays_are_changed_in_place():
    image, mask = scene(3)
    flip = Warp(np.array([[1, 0, 0], [0, -1, WIDTH - 1]]), fill=None)
    for warp in (flip, Warp(TILT), Warp(waves(GRID))):
        expected = warped(warp, image[::-1], mask[::-1])
        whole_image, whole_mask = image.copy(), mask.copy()
        warp.apply(whole_image[::-1], whole_mask[::-1])
        np.testing.assert_array_equal(whole_image[::-1], expected[0])
        np.testing.assert_array_equal(whole_mask[::-1], expected[1])


STEPS = {"matrix": (TILT, tilted), "field": (waves(GRID), waves)}


@pytest.mark.parametrize("first", STEPS)
@pytest.mark.parametrize("second", STEPS)
def test_two_warps_are_joined_into_one(first, second):
    (earlier, function), (later, then) = STEPS[first], STEPS[second]
    joined = Warp(later).after(Warp(earlier))
    places = joined.places if joined.places.ndim == 3 else np.einsum("ij,jhw->ihw", joined.places[:, :2], GRID)
    if joined.places.ndim == 2:
        places = places + joined.places[:, 2].reshape(2, 1, 1)
    expected = function(then(GRID))
    inside = (then(GRID) >= 0).all(axis=0) & (then(GRID)[0] <= HEIGHT - 1) & (then(GRID)[1] <= WIDTH - 1)
    assert inside.mean() > 0.5
    # A field is known at whole pixels only.
    tolerance = 0.05 if first == "field" else 1e-4
    np.testing.assert_allclose(places[:, inside], expected[:, inside], atol=tolerance)


def test_what_leaves_the_image_and_comes_back_is_kept():
    away, back = (Warp(np.array([[1, 0, step], [0, 1, 0]])) for step in (HEIGHT, -HEIGHT))
    image, mask = scene()
    new_image, new_mask = warped(back.after(away), image, mask)
    np.testing.assert_array_equal(new_image, image)
    np.testing.assert_array_equal(new_mask, mask)


def test_warps_are_joined_where_the_image_continues_in_the_same_way():
    edge, black, flip = Warp(TILT), Warp(TILT, "black"), Warp(TILT, None)
    assert edge.can_follow(edge)
    assert not black.can_follow(edge)
    assert flip.can_follow(black)
    assert flip.after(black).fill == "black"
    assert edge.after(flip).fill == "edge"


def test_what_enters_after_a_field_is_void():
    """A field says nothing of places outside, and once what it mirrored came back from there."""
    mirrored, shifted = Warp(np.stack([GRID[0], WIDTH - 1 - GRID[1]])), Warp(np.array([[1, 0, 0], [0, 1, 3.0]]))
    assert not shifted.can_follow(mirrored)
    assert Warp(np.array([[1, 0, 0], [0, -1, WIDTH - 1]]), None).can_follow(mirrored)


def test_places_are_any_numbers():
    image, mask = scene(3)
    transpose = [[0, 1, 0], [1, 0, 0]]
    for places in (transpose, np.array(transpose), np.array(transpose, np.float16)):
        np.testing.assert_array_equal(
            warped(Warp(places), image, mask)[1], warped(Warp(np.array(transpose, float)), image, mask)[1]
        )


def test_wrong_warps_are_refused():
    for shape in [(2, 2), (3, 3), (HEIGHT, WIDTH, 2)]:
        with pytest.raises(ValueError, match="the places of a warp have the shape"):
            Warp(np.zeros(shape))
    with pytest.raises(ValueError, match="the places of a warp are not finite"):
        Warp(np.full((2, 3), np.nan))
    with pytest.raises(ValueError, match="the fill of a warp is 'white', not one of edge, mirror, black"):
        Warp(TILT, "white")


def test_opencv_has_one_thread():
    assert opencv().getNumThreads() == 1


@pytest.mark.parametrize("channels", [1, 2, 3, 6, 7, 131])
def test_a_function_of_opencv_takes_any_number_of_channels(channels):
    image, seen = scene(channels)[0], []

    def turned(part):
        seen.append(1 if part.ndim == 2 else part.shape[-1])
        return opencv().flip(part, 0)

    np.testing.assert_array_equal(by_channels(turned, image), image[::-1])
    assert set(seen) <= {1, 3, 4}
