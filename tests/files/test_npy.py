"""Check the headers of .npy files before memory is taken for what they claim."""

from __future__ import annotations

import io
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest

from marsseg_core.errors import RequestError
from marsseg_core.files.npy import read_npy_header
from marsseg_plugins.datasets import archive
from marsseg_plugins.datasets.npz import Npz


def header(shape: str, *, descr: str = "<f8", version: int = 1, length: int | None = None) -> bytes:
    text = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    field = struct.pack("<H" if version == 1 else "<I", len(text) if length is None else length)
    return b"\x93NUMPY" + bytes([version, 0]) + field + text


def zipped(path: Path, content: bytes, *, method: int = zipfile.ZIP_DEFLATED, name: str = "images.npy") -> Path:
    with zipfile.ZipFile(path, "w", method) as file:
        file.writestr(name, content)
    return path


class Watched(io.BytesIO):
    """A file that remembers the largest number of bytes that was requested at once."""

    most = 0

    def read(self, size: int | None = -1) -> bytes:
        self.most = max(self.most, 10**12 if size is None or size < 0 else size)
        return super().read(size)


@pytest.mark.parametrize("version", [1, 2, 3])
def test_a_header_is_read(version):
    assert read_npy_header(io.BytesIO(header("(3, 4)", version=version))) == ((3, 4), np.dtype("<f8"), False)


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (header("(3,)", version=2, length=3_000_000_000), "its header has 3,000,000,000 bytes; the limit is 10,000"),
        (header("(3,)", version=2, length=10_001), "its header has 10,001 bytes"),
        (header(f"({'1, ' * 40})"), "it has 40 dimensions; the limit is 32"),
        (header("(3,)", version=9), "version 9.0 of the format is unknown"),
        (header("(3,)")[:9], "its header is cut off"),
        (header("(" * 3000), "[a-z]"),
        (header("(" + "-" * 5000 + "1,)"), "[a-z]"),
        (header("(3,)", descr="(" * 3000), "[a-z]"),
    ],
)
def test_a_header_that_no_array_needs_is_refused(content, what):
    file = Watched(content)
    with pytest.raises(ValueError, match=what):
        read_npy_header(file)
    assert file.most <= 10_000


def test_a_data_set_has_limits_too(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "ITEM_LIMIT", 3)
    monkeypatch.setattr(archive, "PIXEL_LIMIT", 20)
    cases = {
        "images has 4 items; the limit is 3.": np.zeros((4, 2, 2), np.uint8),
        "images has 25 values for each item; the limit is 20.": np.zeros((2, 5, 5), np.uint8),
    }
    for what, images in cases.items():
        np.savez(tmp_path / "a.npz", images=images, masks=images)
        with pytest.raises(RequestError) as caught:
            Npz(str(tmp_path / "a.npz")).load()
        assert caught.value.what == what
    content = header("(1, 2, 2)", descr="|u1") + bytes(4)
    with pytest.raises(RequestError, match=r"not compressed as NumPy does it \(zip method 12\)"):
        Npz(str(zipped(tmp_path / "b.npz", content, method=zipfile.ZIP_BZIP2))).load()


def test_a_zip_archive_without_arrays_is_called_one(tmp_path):
    path = zipped(tmp_path / "a.npz", b"picture", name="images/a.png")
    with pytest.raises(RequestError, match=r"it holds images/a\.png") as caught:
        Npz(str(path)).load()
    assert caught.value.hint == "This is a zip archive without arrays: unpack it, and pass the folder."


def test_the_suffix_may_be_in_capitals(tmp_path, cli):
    assert Npz.recognises(Path("TILES.NPZ"))
    answer = cli("data", "convert", "synthetic:count=2:height=8:width=8", str(tmp_path / "OUT.NPZ"))
    assert answer.code == 0, answer.err
    assert zipfile.is_zipfile(tmp_path / "OUT.NPZ")
