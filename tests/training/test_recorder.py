"""What is stored after each epoch belongs together, also after a kill between two of the files."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from types import SimpleNamespace

import pytest

from marsseg_core.files.run_folder import RunFolder
from marsseg_core.training.recorder import RunRecorder

# The score of each epoch: the second is the best.
SCORES = (0.4, 0.6, 0.5)


class Trained:
    """A recorder of a training whose network is a text, which says by which epoch it was trained and how."""

    def __init__(self, folder, progress=None, how="first", keep="best"):
        self.folder = RunFolder(folder)
        self.saved = []
        self._how = how
        training = SimpleNamespace(epochs=3, keep=keep)
        plan = SimpleNamespace(metrics=SimpleNamespace(rises=lambda column: True), training=training)
        network = SimpleNamespace(save=lambda path: path.write_text(self._text))
        self.run = SimpleNamespace(
            plan=plan, best_by="val_miou", history=[], best_epoch=None, folder=self.folder, network=network
        )
        checkpointer = SimpleNamespace(save=lambda task, progress: self.saved.append(progress))
        self._recorder = RunRecorder(self.run, [], lambda *names, **given: None, checkpointer)
        self._recorder.set_model(SimpleNamespace(average=None, averaged=nullcontext))
        if progress is not None:
            self._recorder.restore(replace(progress, history=[*progress.history]))

    def epoch(self, number, score):
        self._text = f"{self._how} {number}"
        self._recorder.on_epoch_end(number - 1, {"val_miou": score})
        return self

    @property
    def best(self):
        return self.run.best_epoch, self.folder.network.read_text()


@pytest.fixture
def killed(tmp_path):
    """The progress after the first epoch; the network is that of the second one, whose checkpoint is missing."""
    trained = Trained(tmp_path).epoch(1, SCORES[0])
    progress = replace(trained.saved[0], history=[*trained.saved[0].history])
    trained.epoch(2, SCORES[1])
    return progress


def test_a_repeated_epoch_replaces_the_network_of_the_killed_one_even_if_it_is_worse(killed, tmp_path, caplog):
    resumed = Trained(tmp_path, killed, "again").epoch(2, 0.3)
    assert resumed.best == (2, "again 2")
    assert "Its network replaces that of the best epoch, 1" in caplog.text
    assert resumed.epoch(3, 0.2).best == (2, "again 2")


def test_an_epoch_that_is_repeated_with_the_same_score_needs_no_warning(killed, tmp_path, caplog):
    resumed = Trained(tmp_path, killed, "again").epoch(2, SCORES[1])
    assert resumed.epoch(3, SCORES[2]).best == (2, "again 2")
    assert not caplog.messages


def test_a_worse_network_replaces_none_after_a_kill_elsewhere(tmp_path):
    whole = Trained(tmp_path).epoch(1, SCORES[0]).epoch(2, SCORES[1])
    assert Trained(tmp_path, whole.saved[-1], "again").epoch(3, SCORES[2]).best == (2, "first 2")


def test_an_older_checkpoint_has_no_hash_of_the_network(killed, tmp_path):
    resumed = Trained(tmp_path, replace(killed, network_hash=None), "again")
    assert resumed.epoch(2, 0.3).best == (1, "first 2")


def test_the_last_network_is_kept_if_the_plan_says_so(tmp_path, caplog):
    trained = Trained(tmp_path, keep="last")
    for number, score in enumerate(SCORES, start=1):
        assert trained.epoch(number, score).best == (number, f"first {number}")
    resumed = Trained(tmp_path, trained.saved[1], "again", keep="last").epoch(3, 0.1)
    assert resumed.best == (3, "again 3")
    assert not caplog.messages
