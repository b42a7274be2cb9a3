"""Checkpoints and networks."""

from __future__ import annotations

import io
import json
import random
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace

import keras
import numpy as np

from fuzzing.kind import FileKind
from fuzzing.mutations import damaged, mutate_archive, mutate_json
from marsseg_core.files.run_folder import RunFolder
from marsseg_core.networks.read import load_network
from marsseg_core.training.checkpoint import RestoreStates, TrainingProgress, load_checkpoint, save_checkpoint


@cache
def task() -> SimpleNamespace:
    """Return what a checkpoint needs of a task: variables, here few and small ones."""
    shapes = [(3, 3, 2, 4), (4,), (), (2,)]
    variables = [keras.Variable(np.ones(shape, np.float32)) for shape in shapes]
    optimizer = SimpleNamespace(variables=[keras.Variable(0, dtype="int64"), keras.Variable(np.ones((3, 3, 2, 4)))])
    return SimpleNamespace(variables=variables, optimizer=optimizer)


def callbacks() -> list[keras.callbacks.Callback]:
    return [keras.callbacks.EarlyStopping("val_miou", patience=3)]


def checkpoints() -> list[bytes]:
    rows = [{"epoch": n, "loss": 1.5 / n, "val_miou": None if n == 1 else 0.25, "seconds": 0.5} for n in (1, 2)]
    states = {"0_EarlyStopping": {"wait": 1, "best": "-inf", "stopped_epoch": 0, "patience": 3}}
    progress = [
        TrainingProgress(2, rows, 2, 0.25, states),
        TrainingProgress(1, rows[:1], None, None, states, "loss"),
    ]
    files = []
    with TemporaryDirectory() as folder:
        for number, each in enumerate(progress):
            path = Path(folder) / f"{number}.npz"
            save_checkpoint(path, task(), each)
            files.append(path.read_bytes())
    return files


def mutate_checkpoint(rng: random.Random, content: bytes, other: bytes) -> bytes:
    def mutate(rng: random.Random, name: str, array: bytes) -> bytes:
        if name != "progress.npy" or rng.random() < 0.2:
            head = damaged(rng, array[:128], array) if rng.random() < 0.7 else array[:128]
            return head + (array[128:] if rng.random() < 0.7 else damaged(rng, array[128:], array))
        stream = io.BytesIO()
        np.save(stream, np.frombuffer(mutate_json(rng, array[128:], array[128:]), np.uint8))
        return stream.getvalue()

    return mutate_archive(rng, content, other, mutate)


def read_checkpoint(path: Path) -> bool:
    progress = load_checkpoint(path, task())
    stateful = callbacks()
    restore = RestoreStates(stateful, progress)
    stateful[0].on_train_begin()
    restore.on_train_begin()
    json.dumps(progress.history)
    if progress.history and not progress.stopped:
        RunFolder(path.parent).write_history(progress.history)
    return True


def networks() -> list[bytes]:
    inputs = keras.Input((8, 8, 1))
    x = keras.layers.Conv2D(4, 3, padding="same")(inputs)
    x = keras.layers.BatchNormalization()(x)
    x = keras.layers.Activation("relu")(x)
    small = keras.Model(inputs, keras.layers.Conv2D(3, 1)(x))
    with TemporaryDirectory() as folder:
        path = Path(folder) / "network.keras"
        small.save(path)
        return [path.read_bytes()]


def mutate_network(rng: random.Random, content: bytes, other: bytes) -> bytes:
    def mutate(rng: random.Random, name: str, member: bytes) -> bytes:
        if name.endswith(".json") and rng.random() < 0.9:
            return mutate_json(rng, member, member)
        return damaged(rng, member, member)

    return mutate_archive(rng, content, other, mutate)


def read_network(path: Path) -> bool:
    folder = RunFolder(path.parent / "network")
    folder.path.mkdir(exist_ok=True)
    folder.network.write_bytes(path.read_bytes())
    network = load_network(folder)
    keras.utils.clear_session(free_memory=False)
    assert network is not None
    return True


KINDS = [
    FileKind("checkpoint", checkpoints, mutate_checkpoint, read_checkpoint, 70, "last.npz"),
    FileKind("network.keras", networks, mutate_network, read_network, 2),
]
