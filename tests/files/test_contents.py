"""Name what a file is, by its first bytes."""

from __future__ import annotations

import io
import tarfile

import numpy as np
import pytest
from PIL import Image

from marsseg_core.data.images import read_image
from marsseg_core.errors import RequestError
from marsseg_core.files.contents import identify, other_content
from marsseg_plugins.datasets.class_file import read_class_file
from marsseg_plugins.datasets.npz import Npz

pytestmark = pytest.mark.usefixtures("without_reports")

LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"
HTML = b"\n<!DOCTYPE html>\n<html><title>404 Not Found</title>"


def tar() -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("images/a.png"))
    return file.getvalue()


def array() -> bytes:
    file = io.BytesIO()
    np.save(file, np.zeros(3))
    return file.getvalue()


OTHERS = {
    "a Git LFS pointer": LFS,
    "an HTML page": HTML,
    "an XML document": b"\xef\xbb\xbf<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>",
    "a PDF document": b"%PDF-1.7\n",
    "a gzip archive": b"\x1f\x8b\x08\x00",
    "a tar archive": tar(),
    "an HDF5 file": b"\x89HDF\r\n\x1a\n",
    "an array as .npy": array(),
    "a HEIC image": b"\0\0\0\x18ftypheic",
    "a VICAR image": b"LBLSIZE=2048            FORMAT='HALF'",
}


@pytest.mark.parametrize(("name", "content"), OTHERS.items())
def test_what_is_not_an_image_is_called_what_it_is(tmp_path, name, content):
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(RequestError) as caught:
        read_image(tmp_path / "a.png")
    assert caught.value.what == f"This file is {name}, not a PNG, JPEG, TIFF, BMP, WebP or GIF."


def test_the_hint_says_what_to_do(tmp_path):
    for content, hint in ((LFS, "git lfs pull"), (HTML, "download it again"), (b"PK\x03\x04", "Unpack it")):
        (tmp_path / "a.png").write_bytes(content)
        with pytest.raises(RequestError) as caught:
            read_image(tmp_path / "a.png")
        assert hint in caught.value.hint


@pytest.mark.parametrize("content", [b"hello", b"P", b"\0" * 50, "überall".encode("latin-1")])
def test_first_bytes_that_do_not_tell_name_nothing(tmp_path, content):
    (tmp_path / "a").write_bytes(content)
    assert identify(content) is None
    assert other_content(tmp_path / "a", "file") is None


def test_an_npz_file_that_is_none_is_called_what_it_is(tmp_path):
    path = tmp_path / "a.npz"
    picture = io.BytesIO()
    Image.new("L", (2, 2)).save(picture, "PNG")
    for content, name in ((LFS, "a Git LFS pointer"), (picture.getvalue(), "a PNG image"), (array(), "an array as")):
        path.write_bytes(content)
        with pytest.raises(RequestError, match=f"This file is {name}.* not an .npz file"):
            Npz(str(path)).load()
    path.write_bytes(b"PK\x03\x04" + bytes(100))
    with pytest.raises(RequestError, match=r"This is not an \.npz file, or it is cut off"):
        Npz(str(path)).load()


def test_a_class_file_and_a_plan_too(tmp_path, cli):
    (tmp_path / "classes.txt").write_bytes(LFS)
    with pytest.raises(RequestError, match="a Git LFS pointer, not a class file"):
        read_class_file(tmp_path / "classes.txt")
    (tmp_path / "plan.toml").write_bytes(HTML)
    answer = cli("run", "--plan", str(tmp_path / "plan.toml"), "--dry-run")
    assert answer.code == 2
    assert "This file is an HTML page, not a plan." in answer.err
