"""Test the chunks of arrays, the headers of .npy files, and the conversion of channels."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra import numpy as arrays

from marsseg_core.data import chunks
from marsseg_core.data.channels import to_colour, to_grey
from marsseg_core.files.npy import read_npy_header, write_npy_header


@given(arrays.arrays(np.uint16, st.tuples(st.integers(0, 7), st.integers(1, 3), st.integers(0, 3))), st.integers(1, 50))
def test_chunks_are_the_array_in_order_within_the_size_limit(array, limit):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chunks, "CHUNK_BYTES", limit)
        found = list(chunks.chunks(array))
    starts = [sum(len(chunk) for _, chunk in found[:n]) for n in range(len(found))]
    assert [start for start, _ in found] == starts
    assert all(len(chunk) == 1 or chunk.nbytes <= limit for _, chunk in found)
    assert all(chunk.flags.c_contiguous for _, chunk in found)
    joined = np.concatenate([chunk for _, chunk in found]) if found else array[:0]
    np.testing.assert_array_equal(joined, array)


def test_chunks_of_a_view_are_in_c_order():
    transposed = np.arange(24).reshape(4, 2, 3).transpose(0, 2, 1)
    ((start, chunk),) = chunks.chunks(transposed)
    assert start == 0
    assert chunk.flags.c_contiguous
    np.testing.assert_array_equal(chunk, transposed)


def test_the_size_of_a_chunk_follows_from_shape_and_dtype():
    assert chunks.items_per_chunk((10**9, 1024, 1024, 1), np.dtype(np.uint8)) == 16
    assert chunks.items_per_chunk((5, 10**6, 10**6), np.dtype(np.float64)) == 1
    assert chunks.items_per_chunk((5, 0), np.dtype(np.float64)) == chunks.CHUNK_BYTES


@pytest.mark.parametrize("dtype", ["|u1", "<f4", ">f8", "|b1"])
def test_a_written_header_is_read_back_also_by_numpy(dtype):
    array = np.arange(6).reshape(3, 2).astype(dtype)
    file = io.BytesIO()
    write_npy_header(file, array.shape, array.dtype)
    header_size = file.tell()
    file.write(array.tobytes())
    file.seek(0)
    assert read_npy_header(file) == ((3, 2), np.dtype(dtype), False)
    assert file.tell() == header_size
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


def test_an_invalid_header_is_refused():
    with pytest.raises(ValueError, match="magic"):
        read_npy_header(io.BytesIO(b"not an array"))


class TestChannels:
    COLOURS = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255], [80, 80, 80]]], np.uint8)

    def test_to_grey_computes_the_luma(self):
        assert to_grey(self.COLOURS)[..., 0].tolist() == [[76, 150, 29, 80]]
        assert to_grey(self.COLOURS).shape == (1, 4, 1)

    def test_to_colour_repeats_the_first_channel(self):
        for channels in (1, 2, 4):
            image = np.arange(6 * channels, dtype=np.uint8).reshape(2, 3, channels)
            np.testing.assert_array_equal(to_colour(image), image[..., :1].repeat(3, axis=-1))

    def test_images_that_need_no_conversion_are_returned_unchanged(self):
        grey = to_grey(self.COLOURS)
        assert to_grey(grey) is grey
        assert to_colour(self.COLOURS) is self.COLOURS
