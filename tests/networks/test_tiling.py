"""Tiles cover an image evenly, and the image is mirrored beyond its edges."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st

from marsseg_core.networks.tiling import cut, mirrored, tile_axis

lengths = st.integers(1, 300)
tiles = st.integers(1, 80)
overlaps = st.floats(0, 0.9)


@given(lengths, tiles, overlaps)
def test_the_weights_of_all_tiles_at_a_pixel_add_up_to_one(length, tile, overlap):
    axis = tile_axis(length, tile, overlap)
    total = np.zeros(length)
    for start, weights in zip(axis.starts, axis.weights, strict=True):
        for place in range(max(start, 0), min(start + tile, length)):
            total[place] += weights[place - start]
    np.testing.assert_allclose(total, 1, atol=1e-5)


@given(lengths, tiles, overlaps)
def test_tiles_are_evenly_spread_and_each_shows_some_of_the_image(length, tile, overlap):
    starts = tile_axis(length, tile, overlap).starts
    assert len(set(np.diff(starts))) <= 1
    assert all(-tile < start < length for start in starts)


@given(lengths, tiles, overlaps)
def test_every_pixel_of_a_larger_image_is_in_equally_many_tiles_up_to_one(length, tile, overlap):
    if length > tile:
        starts = tile_axis(length, tile, overlap).starts
        seen = [sum(start <= place < start + tile for start in starts) for place in range(length)]
        assert max(seen) - min(seen) <= 1


@pytest.mark.parametrize(("length", "start"), [(1, -4), (7, -1), (8, 0)])
def test_an_image_that_fits_lies_in_the_middle_of_one_tile(length, start):
    axis = tile_axis(length, 8, 0.5)
    assert axis.starts.tolist() == [start]
    assert (axis.weights == 1).all()


def test_the_weights_of_a_tile_are_small_at_its_edges_and_largest_in_its_middle():
    weights = tile_axis(1000, 64, 0.5).weights[5]
    assert weights[0] == weights[-1] < 0.001
    assert weights[32] > 0.99
    assert (np.diff(weights[:32]) > 0).all()


@given(st.integers(-40, 40), st.integers(1, 40), st.integers(1, 12))
def test_an_axis_is_mirrored_beyond_its_ends(start, count, length):
    padded = np.pad(np.arange(length), 100, mode="symmetric")
    np.testing.assert_array_equal(mirrored(start, count, length), padded[100 + start : 100 + start + count])


def test_a_tile_inside_the_image_is_cut_out_of_it():
    image = np.arange(60).reshape(6, 10, 1)
    np.testing.assert_array_equal(cut(image, 2, 3, 3, 4), image[2:5, 3:7])


def test_a_tile_around_a_single_pixel_is_all_that_pixel():
    assert (cut(np.full((1, 1, 3), 7), -2, -2, 5, 5) == np.full((5, 5, 3), 7)).all()
