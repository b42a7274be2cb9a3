"""The manifest of a run folder shows which files changed after the run wrote them, even if the run was killed."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from helpers.messages import no_warning, warned_of, warnings_told

import marsseg_core as marsseg
from marsseg_core import hooks
from marsseg_core.errors import RequestError
from marsseg_core.files.run_folder import RunFolder
from marsseg_core.hooks import load_hooks

WORDS = {
    "arch": "unet:width=0.125:depth=1:convolutions=1",
    "data": "synthetic:count=12:height=16:width=32",
    "batch": 8,
    "epochs": 2,
}


class Killed(BaseException):
    """The process is killed: no error is caught, nothing is cleaned up."""


def run(out: Path, **words) -> RunFolder:
    return marsseg.run(out=out, **(WORDS | words)).folder


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> Path:
    """The runs `finished`, `other` (another seed), and `killed` (before the end of its second epoch)."""
    folder = tmp_path_factory.mktemp("runs")
    run(folder / "finished")
    run(folder / "other", seed=1)
    from marsseg_core.training.recorder import RunRecorder

    original = RunRecorder.on_epoch_end

    def dying(self, epoch, logs=None):
        if epoch == 1:
            raise Killed
        original(self, epoch, logs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RunRecorder, "on_epoch_end", dying)
        with pytest.raises(Killed):
            run(folder / "killed")
    return folder


@pytest.fixture
def folder(runs, tmp_path) -> Path:
    """A copy that a test may change. A run folder may be copied and moved."""
    return Path(shutil.copytree(runs, tmp_path / "elsewhere"))


def swap_classes(run: Path, other: Path) -> None:
    split = json.loads((run / "split.json").read_text())
    split["ignored"] = [1]
    (run / "split.json").write_text(json.dumps(split))


def train_on_test(run: Path, other: Path) -> None:
    split = json.loads((run / "split.json").read_text())
    split["train"], split["test"] = split["test"], split["train"]
    (run / "split.json").write_text(json.dumps(split))


def edit_plan(run: Path, other: Path) -> None:
    plan = (run / "plan.toml").read_text()
    (run / "plan.toml").write_text(plan.replace("batch = 8", "batch = 4"))


def take_network(run: Path, other: Path) -> None:
    shutil.copy(other / "network.keras", run / "network.keras")


def take_checkpoint(run: Path, other: Path) -> None:
    shutil.copy(other / "checkpoint" / "last.npz", run / "checkpoint" / "last.npz")


def edit_scores(run: Path, other: Path) -> None:
    metrics = json.loads((run / "metrics.json").read_text())
    metrics["subsets"]["test"]["miou"] = 0.99
    (run / "metrics.json").write_text(json.dumps(metrics))


TAMPERED = {
    swap_classes: "split.json",
    train_on_test: "split.json",
    edit_plan: "plan.toml",
    take_network: "network.keras",
}


class TestChangedFile:
    @pytest.mark.parametrize(("tamper", "name"), (TAMPERED | {take_checkpoint: "checkpoint/last.npz"}).items())
    def test_prevents_resuming(self, folder, tamper, name):
        tamper(folder / "killed", folder / "other")
        before = {path: path.read_bytes() for path in (folder / "killed").rglob("*") if path.is_file()}
        with pytest.raises(RequestError, match=f"{name}: not as the run wrote it"):
            marsseg.resume(folder / "killed")
        assert {path: path.read_bytes() for path in (folder / "killed").rglob("*") if path.is_file()} == before

    @pytest.mark.parametrize(("tamper", "name"), TAMPERED.items())
    def test_prevents_scoring(self, folder, tamper, name):
        tamper(folder / "finished", folder / "other")
        with pytest.raises(RequestError, match=f"{name}: not as the run wrote it"):
            marsseg.evaluate(folder / "finished")

    @pytest.mark.parametrize(
        ("tamper", "name"),
        {train_on_test: "split.json", edit_plan: "plan.toml", edit_scores: "metrics.json"}.items(),
    )
    def test_prevents_comparison(self, folder, tamper, name):
        tamper(folder / "finished", folder / "other")
        found = marsseg.compare(folder / "finished", folder / "other")
        assert [len(group.runs) for group in found.groups] == [1]
        assert [(path.name, f"{name}: not as the run wrote it" in why) for path, why in found.skipped] == [
            ("finished", True)
        ]

    def test_network_causes_a_warning_when_it_is_loaded(self, folder):
        take_network(folder / "finished", folder / "other")
        with warned_of(r"network\.keras is not as the run wrote it"):
            marsseg.load(folder / "finished")

    def test_log_history_environment_or_report_is_ignored(self, folder):
        for name in ("log.txt", "history.csv", "environment.json", "report.html"):
            file = folder / "finished" / name
            file.write_text(file.read_text() + "\n")
        (folder / "finished" / "notes.txt").write_text("mine")
        assert RunFolder(folder / "finished").changed() == []
        assert marsseg.evaluate(folder / "finished").to_json()["miou"] is not None


class TestFolder:
    def test_unchanged_is_scored_compared_and_resumed(self, folder):
        kept = json.loads((folder / "finished" / "metrics.json").read_text())["subsets"]["test"]
        with no_warning():
            assert marsseg.evaluate(folder / "finished").to_json()["miou"] == pytest.approx(kept["miou"], abs=1e-6)
            assert marsseg.compare(folder / "finished", folder / "other").skipped == ()
        assert marsseg.resume(folder / "killed").metrics["status"] == "finished"
        assert RunFolder(folder / "killed").changed() == []

    def test_with_another_number_of_threads_causes_a_warning(self, folder):
        file = folder / "killed" / "environment.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | {"threads": 99}))
        lines = []
        with warnings_told(lines):
            marsseg.resume(folder / "killed")
        assert any("threads 99 → " in line and "may not be the same" in line for line in lines)

    def test_without_its_checkpoint_is_scored(self, folder):
        """Users may delete it: it is large, and a finished run does not need it."""
        shutil.rmtree(folder / "finished" / "checkpoint")
        assert marsseg.evaluate(folder / "finished").to_json()["miou"] is not None

    def test_without_a_manifest_gets_one_for_new_files(self, folder):
        killed = RunFolder(folder / "killed")
        killed.manifest.unlink()
        marsseg.resume(killed.path)
        files = set(killed.read_json(killed.manifest)["files"])
        assert files - {"network.keras"} == {
            "metrics.json",
            "checkpoint/last.npz",
        }  # network.keras only if the network improved

    def test_with_a_broken_manifest_is_refused(self, folder):
        (folder / "finished" / "manifest.json").write_text('{"files": 1}')
        with pytest.raises(RequestError, match=r"manifest\.json: files must be a table, not 1"):
            marsseg.evaluate(folder / "finished")

    def test_with_a_network_for_other_classes_is_not_scored(self, folder, tmp_path):
        """Without a manifest too."""
        finished = RunFolder(folder / "finished")
        finished.manifest.unlink()
        marsseg.network("unet:width=0.125:depth=1:convolutions=1", height=16, width=32, num_classes=3).save(
            finished.network
        )
        with pytest.raises(RequestError, match="The network predicts 3 classes, but the run has 5"):
            marsseg.evaluate(finished.path)


def write_four(folder: RunFolder) -> None:
    for text in ("one", "two", "three", "four"):
        folder.write_text(folder.metrics, text)


class TestKilled:
    """A process may be killed between any two writes. The run folder it leaves is accepted."""

    @staticmethod
    def killing(monkeypatch, at: int, *, after: bool) -> None:
        """Kill the process at the `at`th renaming, before or after it. After that, no file is deleted."""
        replace, unlink = Path.replace, Path.unlink
        count = 0

        def dying(self, target):
            nonlocal count
            count += 1
            if count < at:
                return replace(self, target)
            if count == at and after:
                replace(self, target)
            raise Killed

        def gone(self, missing_ok=False):
            if count < at:
                unlink(self, missing_ok)

        monkeypatch.setattr(Path, "replace", dying)
        monkeypatch.setattr(Path, "unlink", gone)

    @pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
    @pytest.mark.parametrize("at", range(1, 9))
    def test_while_files_are_being_written(self, tmp_path, monkeypatch, at, after):
        """Each write has two renamings: of the manifest, and of the file."""
        with monkeypatch.context() as patch:
            self.killing(patch, at, after=after)
            with pytest.raises(Killed):
                write_four(RunFolder(tmp_path))
        again = RunFolder(tmp_path)
        assert again.changed() == []
        before = again.metrics.read_text() if again.metrics.exists() else None
        again.remove_leftovers()
        again.write_text(again.metrics, "five")
        assert again.changed() == []
        assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
        again.metrics.write_text("six")
        assert again.changed() == ["metrics.json"]
        if before is not None:
            again.metrics.write_text(
                before
            )  # the manifest also has the hash of the replaced content, in case of a kill before the renaming
            assert again.changed() == []

    @pytest.fixture
    def without_figures(self, runs, monkeypatch):
        """Runs draw no figures, which take half of their time, except those in `runs`."""
        monkeypatch.setattr(hooks, "load_hooks", lambda observers: load_hooks(observers=[]))

    @pytest.mark.slow
    @pytest.mark.usefixtures("without_figures")
    @pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
    @pytest.mark.parametrize("at", range(8, 16))
    def test_during_training(self, runs, tmp_path, monkeypatch, at, after):
        """From the end of the first epoch on. After resuming, the results equal those of a run that was not killed."""
        with monkeypatch.context() as patch:
            self.killing(patch, at, after=after)
            with pytest.raises(Killed):
                run(tmp_path / "run")
        folder = RunFolder(tmp_path / "run")
        if not folder.environment.is_file():
            pytest.skip("killed before its beginning was written")
        if not folder.metrics.is_file():
            marsseg.resume(folder.path)
        whole = RunFolder(runs / "finished")
        assert folder.metrics.read_bytes() == whole.metrics.read_bytes()
        assert folder.changed() == []
        with np.load(folder.checkpoint) as found, np.load(whole.checkpoint) as expected:
            for name in set(expected.files) - {"progress"}:
                np.testing.assert_array_equal(found[name], expected[name])
