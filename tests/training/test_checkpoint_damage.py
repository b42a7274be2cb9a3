"""Test that a damaged checkpoint is one kind of error, whatever is damaged, and takes no memory."""

from __future__ import annotations

import io
import json
import zipfile
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from marsseg_core.errors import RequestError
from marsseg_core.training.checkpoint import (
    RestoreStates,
    TrainingProgress,
    load_checkpoint,
    read_progress,
    save_checkpoint,
)

ROWS = [{"epoch": 1, "loss": 2.0, "val_miou": None}, {"epoch": 2, "loss": 1.0, "val_miou": 0.5}]
STATES = {"0_EarlyStopping": {"wait": 1, "best": "-inf", "stopped_epoch": 0}}


@pytest.fixture(scope="module")
def task():
    """What a checkpoint needs of a task: its variables."""
    optimizer = SimpleNamespace(variables=[keras.Variable(3, dtype="int64")])
    return SimpleNamespace(variables=[keras.Variable(np.ones((2, 3))), keras.Variable(np.ones(4))], optimizer=optimizer)


@pytest.fixture
def path(task, tmp_path):
    path = tmp_path / "last.npz"
    save_checkpoint(path, task, TrainingProgress(2, ROWS, 2, 0.5, STATES))
    return path


def rewrite(path, **members: bytes | None) -> None:
    """Replace members of the archive, with correct checksums; None removes one."""
    with zipfile.ZipFile(path) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    contents |= {f"{name}.npy": content for name, content in members.items()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in contents.items():
            if content is not None:
                archive.writestr(name, content)


def npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=True)
    return file.getvalue()


def progress(**changes) -> bytes:
    content = {"epoch": 2, "history": ROWS, "best_epoch": 2, "best_score": 0.5, "callbacks": STATES}
    return npy(np.frombuffer(json.dumps(content | changes).encode(), np.uint8))


def refusal(path, task) -> RequestError:
    with pytest.raises(RequestError) as error:
        load_checkpoint(path, task)
    assert error.value.where == str(path)
    assert error.value.hint
    return error.value


def test_compressed_and_with_keys_of_a_newer_version_is_read(path, task):
    rewrite(path, progress=progress(newer=[1]), variable_0=npy(np.full((2, 3), 7, np.float32, "F")))
    assert load_checkpoint(path, task) == TrainingProgress(2, ROWS, 2, 0.5, STATES)
    assert float(task.variables[0][0, 0]) == 7


@pytest.mark.parametrize(
    ("members", "says"),
    [
        ({"progress": None}, "The checkpoint cannot be read: "),
        ({"progress": progress(epoch="2")}, "The progress in the checkpoint: epoch must be a whole number from 1, not"),
        ({"progress": progress(history=[{}])}, "The progress in the checkpoint: history[0].epoch is missing."),
        ({"progress": progress(callbacks={"a": {"b": []}})}, "The progress in the checkpoint: callbacks.a.b must be"),
        ({"progress": progress(best_by="x")}, "The checkpoint has no scores 'x'."),
        ({"progress": npy(np.frombuffer(b"[" * 10_000, np.uint8))}, "The checkpoint cannot be read: its values are ne"),
        ({"variable_1": None}, "The checkpoint belongs to another network or plan."),
        ({"variable_9": npy(np.ones(1))}, "The checkpoint belongs to another network or plan."),
        ({"variable_1": npy(np.ones(3, np.float32))}, "The checkpoint belongs to another network or plan."),
        ({"variable_1": npy(np.array([{}] * 4))}, "The checkpoint cannot be read: variable_1 has values of the type o"),
        ({"variable_1": npy(np.ones(10**6))}, "The checkpoint cannot be read: variable_1 has 8,000,128 bytes, but may"),
        ({"variable_1": b"\x93NUMPY\x02\x00\xff\xff\xff\xff{"}, "The checkpoint cannot be read: "),
        ({"variable_1": npy(np.ones(4, np.float32))[:-1]}, "The checkpoint cannot be read: "),
        ({"variable_1": b""}, "The checkpoint cannot be read: "),
    ],
)
def test_a_damaged_member_is_an_error(path, task, members, says):
    rewrite(path, **members)
    error = refusal(path, task)
    assert error.what.startswith(says)


def test_damage_says_what_to_do(path, task):
    path.write_bytes(b"")
    assert "`marsseg run --resume` trains from the first epoch" in refusal(path, task).hint


def test_an_encrypted_or_unknown_compression_is_an_error(path, task):
    content = bytearray(path.read_bytes())
    start = content.index(b"PK\x01\x02")
    for offset, value in ((8, 1), (10, 99)):  # the flag of encryption, the method of compression
        changed = bytearray(content)
        changed[start + offset] = value
        path.write_bytes(changed)
        assert refusal(path, task).what.startswith("The checkpoint cannot be read: ")


def test_states_set_numbers_of_callbacks_only(path):
    stopping = keras.callbacks.EarlyStopping("val_miou", patience=3)
    states = {"0_EarlyStopping": {"wait": 2, "best": "-inf", "on_epoch_end": 1, "unknown": 1}}
    restore = RestoreStates([stopping], TrainingProgress(1, [], None, None, states))
    stopping.on_train_begin()
    restore.on_train_begin()
    assert (stopping.wait, stopping.best) == (2, float("-inf"))
    assert callable(stopping.on_epoch_end)
    assert not hasattr(stopping, "unknown")


def test_states_of_other_callbacks_are_refused():
    stopping = keras.callbacks.EarlyStopping("val_miou")
    with pytest.raises(RequestError, match="it has no state of 0_EarlyStopping"):
        RestoreStates([stopping], TrainingProgress(1, [], None, None, {}))


def test_the_progress_is_read_without_the_variables(path):
    rewrite(path, variable_0=b"")
    assert read_progress(path).epoch == 2
