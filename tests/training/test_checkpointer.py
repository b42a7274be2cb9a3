"""Another checkpointer instead of the file: a training continues from the state that it stored."""

from __future__ import annotations

import json
from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest

from marsseg_core import api
from marsseg_core.files.run_folder import RunFolder
from marsseg_core.networks.startup import start_keras
from marsseg_core.training.checkpoint import load_checkpoint, read_progress, save_checkpoint
from marsseg_core.training.checkpointer import Checkpointer, FileCheckpointer

WORDS = {
    "arch": "unet:width=0.125:depth=1:convolutions=1:dropout=0.2",
    "bottleneck": "none",
    "data": "synthetic:count=24:height=16:width=32",
    "batch": 4,
    "epochs": 3,
}


class Elsewhere(Checkpointer):
    """Stores the state of each epoch in a folder outside of the run folder."""

    def __init__(self, folder, epochs):
        self.folder = folder
        self.epochs = epochs

    @property
    def saved(self):
        return any(self.folder.glob("*.npz"))

    def save(self, task, progress):
        if progress.epoch > self.epochs:
            raise SystemExit("killed")
        save_checkpoint(self.folder / f"{progress.epoch}.npz", task, progress)

    def progress(self):
        return read_progress(max(self.folder.glob("*.npz")))

    def load(self, task):
        return load_checkpoint(max(self.folder.glob("*.npz")), task)


@pytest.fixture
def plan(monkeypatch):
    monkeypatch.setenv("MARSSEG_DISABLE", "report,progress")
    start_keras()
    return api.plan(**WORDS)


def test_a_training_continues_from_the_state_of_another_checkpointer(plan, tmp_path):
    from marsseg_core.training.loop import execute, resume

    (tmp_path / "states").mkdir()
    with pytest.raises(SystemExit):
        execute(plan, out=tmp_path / "run", checkpointer=lambda folder: Elsewhere(tmp_path / "states", 2))
    assert not RunFolder(tmp_path / "run").checkpoint.exists()
    resumed = resume(RunFolder(tmp_path / "run"), plan, checkpointer=lambda folder: Elsewhere(tmp_path / "states", 3))
    assert "resumed after epoch 2" in resumed.folder.log_file.read_text()
    whole = execute(plan, out=tmp_path / "whole")
    for actual, expected in zip(resumed.network.weights, whole.network.weights, strict=True):
        np.testing.assert_array_equal(np.asarray(actual), np.asarray(expected))


def test_the_checkpoint_file_is_in_the_run_folder_and_its_manifest(plan, tmp_path):
    from marsseg_core.training.loop import execute

    folder = RunFolder(tmp_path / "run")
    assert not FileCheckpointer(folder).saved
    run = execute(plan, out=folder.path)
    assert FileCheckpointer(run.folder).saved
    assert "checkpoint/last.npz" in folder.read_json(folder.manifest)["files"]


def test_each_row_of_the_history_is_encoded_once(tmp_path, monkeypatch):
    from marsseg_core.training import checkpoint

    start_keras()
    task = SimpleNamespace(variables=[], optimizer=SimpleNamespace(variables=[]))
    encoded = Counter()

    def dumps(value, **options):
        encoded[value["epoch"], "loss" in value] += 1
        return json.dumps(value, **options)

    monkeypatch.setattr(checkpoint, "json", SimpleNamespace(dumps=dumps))
    checkpointer = FileCheckpointer(RunFolder(tmp_path))
    history = []
    for epoch in range(1, 21):
        history.append({"epoch": epoch, "loss": epoch / 7, "val_miou": None})
        checkpointer.save(task, progress := checkpoint.TrainingProgress(epoch, history, 1, 0.5, {"a": {"wait": 1}}))
        assert checkpointer.progress() == progress
    assert encoded == {(epoch, row): 1 for epoch in range(1, 21) for row in (True, False)}
    other = checkpoint.TrainingProgress(1, [{"epoch": 1, "loss": 3.0, "val_miou": None}], None, None, {})
    checkpointer.save(task, other)
    assert checkpointer.progress() == other


def test_the_interface_cannot_be_instantiated():
    with pytest.raises(TypeError, match="abstract"):
        Checkpointer()
