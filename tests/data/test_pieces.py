"""Arrays that are read and written piece by piece: which items go together, and the headers of their files."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra import numpy as arrays

from marsseg_core.data import pieces
from marsseg_core.data.channels import to_colour, to_grey
from marsseg_core.files.npy import read_npy_header, write_npy_header


@given(arrays.arrays(np.uint16, st.tuples(st.integers(0, 7), st.integers(1, 3), st.integers(0, 3))), st.integers(1, 50))
def test_pieces_are_the_array_in_order_and_no_larger_than_asked_for(array, wanted):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pieces, "PIECE_BYTES", wanted)
        found = list(pieces.pieces(array))
    assert [start for start, _ in found] == [sum(len(each) for _, each in found[:n]) for n in range(len(found))]
    assert all(len(each) == 1 or each.nbytes <= wanted for _, each in found)
    assert all(each.flags.c_contiguous for _, each in found)
    joined = np.concatenate([each for _, each in found]) if found else array[:0]
    np.testing.assert_array_equal(joined, array)


def test_pieces_of_a_view_are_in_c_order():
    turned = np.arange(24).reshape(4, 2, 3).transpose(0, 2, 1)
    ((start, found),) = pieces.pieces(turned)
    assert start == 0
    assert found.flags.c_contiguous
    np.testing.assert_array_equal(found, turned)


def test_nothing_is_read_to_know_how_many_items_go_together():
    assert pieces.items_at_once((10**9, 1024, 1024, 1), np.dtype(np.uint8)) == 16
    assert pieces.items_at_once((5, 10**6, 10**6), np.dtype(np.float64)) == 1
    assert pieces.items_at_once((5, 0), np.dtype(np.float64)) == pieces.PIECE_BYTES


@pytest.mark.parametrize("dtype", ["|u1", "<f4", ">f8", "|b1"])
def test_a_header_is_read_as_it_was_written_and_as_numpy_does(dtype):
    array = np.arange(6).reshape(3, 2).astype(dtype)
    file = io.BytesIO()
    write_npy_header(file, array.shape, array.dtype)
    begun = file.tell()
    file.write(array.tobytes())
    file.seek(0)
    assert read_npy_header(file) == ((3, 2), np.dtype(dtype), False)
    assert file.tell() == begun
    file.seek(0)
    np.testing.assert_array_equal(np.load(file), array)


def test_a_header_has_room_for_more_items():
    lengths = set()
    for count in (0, 10**12):
        file = io.BytesIO()
        write_npy_header(file, (count, 64, 128), np.dtype(np.uint8))
        lengths.add(file.tell())
    assert len(lengths) == 1


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_headers_of_every_version_are_read(version):
    file = io.BytesIO()
    np.lib.format.write_array(file, np.zeros((2, 3), order="F"), version=version)
    file.seek(0)
    assert read_npy_header(file) == ((2, 3), np.dtype(float), True)


def test_what_is_no_header():
    with pytest.raises(ValueError, match="magic"):
        read_npy_header(io.BytesIO(b"not an array"))


class TestChannels:
    COLOURS = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255], [80, 80, 80]]], np.uint8)

    def test_grey_is_the_luma_of_colours(self):
        assert to_grey(self.COLOURS)[..., 0].tolist() == [[76, 150, 29, 80]]
        assert to_grey(self.COLOURS).shape == (1, 4, 1)

    def test_colour_is_one_channel_three_times(self):
        for channels in (1, 2, 4):
            image = np.arange(6 * channels, dtype=np.uint8).reshape(2, 3, channels)
            np.testing.assert_array_equal(to_colour(image), image[..., :1].repeat(3, axis=-1))

    def test_what_is_so_already_stays(self):
        grey = to_grey(self.COLOURS)
        assert to_grey(grey) is grey
        assert to_colour(self.COLOURS) is self.COLOURS
