"""A run that was killed continues from its checkpoint and ends like one that was never stopped."""

import json
import os
import shutil
import time
from multiprocessing import active_children

import numpy as np
import pytest
from helpers.messages import warnings_told
from helpers.with_keras import MARSSEG, start_with_keras

import marsseg_core as marsseg
from marsseg_core.errors import RequestError, RunError
from marsseg_core.files.run_folder import RunFolder
from marsseg_core.training.recorder import RunRecorder

pytestmark = pytest.mark.usefixtures("without_observers")

# Everything that has a state: dropout, plateau, early stopping, trained and adaptive weightings, averages of weights.
WORDS = {
    "arch": "unet:width=0.125:depth=1:convolutions=1",
    "bottleneck": "transformer:layers=1:heads=2:dropout=0.5",
    "loss": "ssce,dice,boundary:weight=0.1",
    "augment": "hflip,rockmix,noise",
    "schedule": "plateau:patience=1",
    "data": "synthetic:count=24:height=16:width=32",
    "batch": 4,
    "epochs": 5,
    "patience": 5,
}
VARIANTS = {
    "uncertainty, ema": {"weighting": "uncertainty", "overrides": ["training.averaging=ema"]},
    "relobralo, swa": {
        "weighting": "relobralo:rho=0.5",
        "overrides": ["training.averaging=swa", "training.swa_start=0.2"],
    },
    "dwa, a schedule": {"weighting": "dwa", "schedule": "cosine:warmup=1", "overrides": ["training.oversample=2"]},
}


def outcome(run):
    history = [{name: value for name, value in row.items() if name != "seconds"} for row in run.history]
    weights = [np.asarray(weight) for weight in run.network.weights]
    return history, weights, json.loads(run.folder.metrics.read_text())


def assert_same(actual, expected):
    assert actual[0] == expected[0]
    for a, b in zip(actual[1], expected[1], strict=True):
        np.testing.assert_array_equal(a, b)
    assert actual[2] == expected[2]


def killed_after(monkeypatch, epochs, before_checkpoint=False):
    """Let the process "die" after so many epochs: at the end of the next epoch, or before its checkpoint is written."""
    original = RunRecorder.on_epoch_end

    def dying(self, epoch, logs=None):
        if epoch == epochs and not before_checkpoint:
            raise SystemExit
        original(self, epoch, logs)

    monkeypatch.setattr(RunRecorder, "on_epoch_end", dying)
    if before_checkpoint:
        from marsseg_core.training import checkpointer as module

        save = module.save_checkpoint

        def not_saved(path, task, progress, text_of):
            if progress.epoch == epochs + 1:
                raise SystemExit
            save(path, task, progress, text_of)

        monkeypatch.setattr(module, "save_checkpoint", not_saved)


@pytest.mark.parametrize(
    ("words", "kind"), list(zip(VARIANTS.values(), ("auto", "threads", "processes"), strict=True)), ids=VARIANTS
)
def test_history_weights_and_scores_equal_those_of_an_uninterrupted_run(words, kind, tmp_path, monkeypatch, caplog):
    """Whatever prepares the batches: one thread, or other threads or processes after each interruption."""
    whole = outcome(marsseg.run(out=tmp_path / "whole", **(WORDS | words)))
    with monkeypatch.context() as patch:
        killed_after(patch, 2)
        with pytest.raises(SystemExit):
            marsseg.run(out=tmp_path / "killed", worker_kind=kind, **(WORDS | words))
    assert not (tmp_path / "killed" / "metrics.json").exists()
    assert not active_children()
    with monkeypatch.context() as patch:
        killed_after(patch, 3, before_checkpoint=True)
        with pytest.raises(SystemExit):
            marsseg.resume(tmp_path / "killed", workers=2)
    resumed = marsseg.resume(tmp_path / "killed")
    assert not [line for line in caplog.messages if "Batches are prepared by threads" in line]
    assert "The run is resumed after epoch 2 of 5." in caplog.messages
    assert not active_children()
    assert_same(outcome(resumed), whole)
    log = resumed.folder.log_file.read_text()
    assert log.count("resumed after epoch") == 2
    assert log.count("epoch 1/5") == 1


def test_an_average_of_epochs_without_a_step_of_the_optimizer_is_the_same(tmp_path, monkeypatch):
    """Where gradients are accumulated over several epochs, the average changes while the optimizer's count stays."""
    words = {
        "arch": "unet:width=0.125:depth=1:convolutions=1",
        "data": "synthetic:count=8:height=16:width=32",
        "optimizer": "adamw:gradient_accumulation_steps=4",
        "batch": 8,
        "epochs": 6,
        "overrides": ["training.averaging=swa", "training.swa_start=0"],
    }
    whole = outcome(marsseg.run(out=tmp_path / "whole", **words))
    with monkeypatch.context() as patch:
        killed_after(patch, 4)
        with pytest.raises(SystemExit):
            marsseg.run(out=tmp_path / "killed", **words)
    assert_same(outcome(marsseg.resume(tmp_path / "killed")), whole)


class TestAFolder:
    @pytest.fixture(scope="class")
    @classmethod
    def interrupted(cls, tmp_path_factory):
        """Killed in its third epoch."""
        out = tmp_path_factory.mktemp("runs") / "run"
        with pytest.MonkeyPatch.context() as patch:
            killed_after(patch, 2)
            with pytest.raises(SystemExit):
                marsseg.run(out=out, **WORDS)
        return out

    @pytest.fixture
    def folder(self, interrupted, tmp_path):
        return RunFolder(shutil.copytree(interrupted, tmp_path / "run"))

    def test_killed_before_its_first_checkpoint_begins_again(self, folder):
        folder.checkpoint.unlink()
        assert [row["epoch"] for row in marsseg.resume(folder.path).history] == [1, 2, 3, 4, 5]

    def test_never_has_its_best_network_replaced_by_a_worse_one(self, folder, monkeypatch):
        network_hash = folder.network_hash()
        folder.manifest.unlink()  # otherwise the change of the checkpoint would be noticed
        content = dict(np.load(folder.checkpoint))
        progress = json.loads(content["progress"].tobytes()) | {"best_score": 2.0, "best_epoch": 1}
        content["progress"] = np.frombuffer(json.dumps(progress).encode(), np.uint8)
        np.savez(folder.checkpoint, **content)
        run = marsseg.resume(folder.path)
        assert folder.network_hash() == network_hash
        assert run.best_epoch == 1

    def test_whose_data_changed_is_refused_and_left_alone(self, folder):
        folder.manifest.unlink()
        split = json.loads(folder.split.read_text())
        folder.split.write_text(json.dumps(split | {"fingerprint": "0" * 32}))
        before = sorted(path.name for path in folder.path.rglob("*"))
        with pytest.raises(RequestError, match="data"):
            marsseg.resume(folder.path)
        assert sorted(path.name for path in folder.path.rglob("*")) == before

    def test_with_a_broken_checkpoint_is_refused(self, folder):
        folder.manifest.unlink()
        folder.checkpoint.write_bytes(folder.checkpoint.read_bytes()[:500])
        with pytest.raises(RequestError, match="checkpoint cannot be read"):
            marsseg.resume(folder.path)

    def test_in_use_by_another_process_is_refused(self, folder):
        with folder.claimed(), pytest.raises(RequestError, match="Another process"):
            marsseg.resume(folder.path)

    def test_is_cleaned_of_half_written_files_of_a_killed_process(self, folder):
        leftovers = [folder.path / ".network.123.keras", folder.checkpoint.parent / ".last.123.npz"]
        for path in leftovers:
            path.write_bytes(b"half")
        folder.remove_leftovers()
        assert not any(path.exists() for path in leftovers)
        assert folder.network.exists()

    def test_that_began_in_another_environment_warns(self, folder):
        environment = json.loads(folder.environment.read_text())
        environment["versions"]["keras"] = "3.0.0"
        folder.environment.write_text(json.dumps(environment))
        warned = []
        with warnings_told(warned):
            marsseg.resume(folder.path)
        assert any("keras 3.0.0" in line for line in warned)

    def test_that_is_finished_is_refused(self, folder, cli):
        marsseg.resume(folder.path)
        with pytest.raises(RequestError, match="finished"):
            marsseg.resume(folder.path)
        answer = cli("run", "--resume", str(folder.path))
        assert answer.code == 2
        assert "finished" in answer.err


def test_early_stopping_is_not_forgotten(tmp_path, monkeypatch):
    words = WORDS | {"epochs": 30, "patience": 1, "learning_rate": 1e-6}
    whole = outcome(marsseg.run(out=tmp_path / "whole", **words))
    last = len(whole[0])
    assert last < 30
    from marsseg_core.training import loop as engine

    def dying(*arguments, **options):
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(engine, "write_end", dying)
        with pytest.raises(SystemExit):
            marsseg.run(out=tmp_path / "killed", **words)
    assert_same(outcome(marsseg.resume(tmp_path / "killed")), whole)


def test_a_full_disk_is_survived(tmp_path, monkeypatch):
    words = WORDS | {"epochs": 3}
    whole = outcome(marsseg.run(out=tmp_path / "whole", **words))
    from marsseg_core.training import checkpointer as module

    def full(path, task, progress, text_of):
        raise RunError("last.npz cannot be written: No space left on device.")

    with monkeypatch.context() as patch:
        patch.setattr(module, "save_checkpoint", full)
        with pytest.raises(RunError, match="No space"):
            marsseg.run(out=tmp_path / "full", **words)
    assert_same(outcome(marsseg.resume(tmp_path / "full")), whole)


@pytest.mark.parametrize(
    "extra", [("--epochs", "9"), ("--arch", "unet"), ("--set", "training.batch=2"), ("--dry-run",)]
)
def test_options_cannot_change_the_plan_of_a_resumed_run(extra, tmp_path, cli):
    answer = cli("run", "--resume", str(tmp_path), *extra)
    assert answer.code == 2
    assert extra[0] in answer.err


def test_a_folder_that_is_no_run_cannot_be_resumed(tmp_path, cli):
    answer = cli("run", "--resume", str(tmp_path))
    assert answer.code == 2
    assert "not a run folder" in answer.err


@pytest.mark.slow
def test_a_process_that_is_killed_loses_nothing(tmp_path, marsseg_with_keras):
    """SIGKILL in the middle of the training. benchmarks/killed.py does this ten times."""
    words = [f"--{name}={value}" for name, value in WORDS.items()]
    whole = outcome(marsseg.run(out=tmp_path / "whole", **WORDS))
    with open(os.devnull, "wb") as nothing:
        files = {"stdout": nothing, "stderr": nothing}
        process = start_with_keras(MARSSEG, "run", *words, f"--out={tmp_path / 'killed'}", cwd=tmp_path, **files)
    checkpoint = RunFolder(tmp_path / "killed").checkpoint
    while not checkpoint.exists() and process.poll() is None:
        time.sleep(0.01)
    process.kill()
    process.wait()
    answer = marsseg_with_keras("run", "--resume", str(tmp_path / "killed"), "--workers", "2")
    assert answer.code == 0, answer.err
    with (
        np.load(RunFolder(tmp_path / "killed").checkpoint) as resumed,
        np.load(tmp_path / "whole/checkpoint/last.npz") as expected,
    ):
        assert resumed.files == expected.files
        for name in set(expected.files) - {"progress"}:
            np.testing.assert_array_equal(resumed[name], expected[name])
    assert json.loads((tmp_path / "killed/metrics.json").read_text()) == whole[2]
