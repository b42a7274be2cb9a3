"""Test that a damaged network file is one kind of error, which names the file, and takes no memory."""

from __future__ import annotations

import io
import json
import shutil
import zipfile

import h5py
import numpy as np
import pytest
from helpers.paths import FROZEN

from marsseg_core.errors import RequestError
from marsseg_core.files.run_folder import RunFolder
from marsseg_core.networks.archive import check_sizes
from marsseg_core.networks.read import load_network


@pytest.fixture
def folder(tmp_path) -> RunFolder:
    shutil.copy(FROZEN / "finished" / "network.keras", tmp_path)
    return RunFolder(tmp_path)


def rewrite(folder: RunFolder, **members: bytes | None) -> None:
    """Replace members of the archive by the first word of their names."""
    with zipfile.ZipFile(folder.network) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(folder.network, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in contents.items():
            if (content := members.get(name.partition(".")[0], content)) is not None:
                archive.writestr(name, content)


def weights(fill) -> bytes:
    file = io.BytesIO()
    with h5py.File(file, "w") as opened:
        fill(opened)
    return file.getvalue()


@pytest.mark.parametrize(
    "members",
    [
        {"config": b""},
        {"config": b"{}"},
        {"config": b"[" * 100_000},
        {"config": json.dumps({"class_name": "InputLayer", "module": "keras.layers", "config": [None]}).encode()},
        {"config": None},
        {"model": b""},
        {"model": b"\x89HDF\r\n\x1a\n" + bytes(100)},
        {"model": None},
        {"model": weights(lambda file: file.create_group("layers"))},
    ],
)
def test_a_damaged_member_is_an_error_that_names_the_file(folder, members):
    rewrite(folder, **members)
    with pytest.raises(RequestError) as error:
        load_network(folder)
    assert error.value.what.startswith("The network cannot be read: ")
    assert error.value.where == str(folder.network)


def test_a_member_that_declares_far_more_than_it_stores_is_refused_before_it_is_read(folder):
    rewrite(folder, metadata=bytes(2**25))
    with pytest.raises(RequestError, match=r"metadata\.json would have 33,554,432 bytes"):
        load_network(folder)


def test_an_array_that_declares_far_more_than_it_stores_is_refused_before_it_is_read(folder):
    rewrite(folder, model=weights(lambda file: file.create_dataset("a/b", (2**30,), np.float32, chunks=(2**20,))))
    with pytest.raises(RequestError, match="a/b would have 4,294,967,296 bytes, of which 0 are stored"):
        load_network(folder)


@pytest.mark.parametrize("path", sorted(FROZEN.glob("*/network.keras")), ids=lambda path: path.parent.name)
def test_networks_of_version_0_1_0_have_possible_sizes(path):
    check_sizes(path)
