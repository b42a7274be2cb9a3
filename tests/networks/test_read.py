"""Network files from strangers: what they must not do, and files that are something else."""

from __future__ import annotations

import io
import os
import zipfile
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest

from marsseg_core.errors import RequestError
from marsseg_core.files.run_folder import RunFolder
from marsseg_core.networks.read import load_network


@pytest.fixture
def run(tmp_path) -> RunFolder:
    inputs = keras.Input((4, 4, 1))
    folder = RunFolder(tmp_path)
    keras.Model(inputs, keras.layers.Conv2D(2, 3, padding="same")(inputs)).save(folder.network)
    return folder


def external(weights: h5py.File, name: str, secret: Path) -> None:
    shape, dtype = weights[name].shape, weights[name].dtype
    del weights[name]
    weights.create_dataset(name, shape, dtype, external=[(str(secret), 0, h5py.h5f.UNLIMITED)])


def test_weights_in_another_file_are_refused(run, tmp_path):
    """With Keras 3.12.0, the bytes of the other file became weights."""
    secret = tmp_path / "secret"
    secret.write_bytes(np.ones(100_000, np.float32).tobytes())
    with zipfile.ZipFile(run.network) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    content = io.BytesIO(parts["model.weights.h5"])
    with h5py.File(content, "r+") as weights:
        names: list[str] = []
        weights.visititems(lambda name, each: names.append(name) if isinstance(each, h5py.Dataset) else None)
        external(weights, names[0], secret)
    with zipfile.ZipFile(run.network, "w") as archive:
        for name, part in (parts | {"model.weights.h5": content.getvalue()}).items():
            archive.writestr(name, part)
    with pytest.raises(RequestError) as caught:
        load_network(run)
    assert caught.value.what == "The weights of the network are in another file, which is never read."
    assert caught.value.where == str(run.network)


def test_a_network_that_is_something_else_is_called_what_it_is(run):
    run.network.write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    with pytest.raises(RequestError, match="This file is a Git LFS pointer, not a network") as caught:
        load_network(run)
    assert "git lfs pull" in caught.value.hint


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_named_pipe_is_not_opened(run):
    run.network.unlink()
    os.mkfifo(run.network)
    with pytest.raises(RequestError, match="not a regular file"):
        load_network(run)
