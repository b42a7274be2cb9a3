"""A run folder is checked against itself: its manifest tells what is not as the run wrote it, however it ended."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from helpers.messages import no_warning, warned_of, warnings_told

import marsseg_core as marsseg
from marsseg_core.errors import RequestError
from marsseg_core.files.run_folder import RunFolder

WORDS = {
    "arch": "unet:width=0.125:depth=1:convolutions=1",
    "data": "synthetic:count=12:height=16:width=32",
    "batch": 8,
    "epochs": 2,
}


class Killed(BaseException):
    """The process is gone: nothing is caught, nothing is cleaned up."""


def run(out: Path, **words) -> RunFolder:
    return marsseg.run(out=out, **(WORDS | words)).folder


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> Path:
    """`finished`, `other` (of another seed), and `killed` before the end of its second epoch."""
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
    """A copy, to be tampered with: a run folder may be copied and moved."""
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


class TestWhatWasChanged:
    @pytest.mark.parametrize(("tamper", "name"), (TAMPERED | {take_checkpoint: "checkpoint/last.npz"}).items())
    def test_is_not_gone_on_with(self, folder, tamper, name):
        tamper(folder / "killed", folder / "other")
        before = {path: path.read_bytes() for path in (folder / "killed").rglob("*") if path.is_file()}
        with pytest.raises(RequestError, match=f"{name}: not as the run wrote it"):
            marsseg.resume(folder / "killed")
        assert {path: path.read_bytes() for path in (folder / "killed").rglob("*") if path.is_file()} == before

    @pytest.mark.parametrize(("tamper", "name"), TAMPERED.items())
    def test_is_not_scored(self, folder, tamper, name):
        tamper(folder / "finished", folder / "other")
        with pytest.raises(RequestError, match=f"{name}: not as the run wrote it"):
            marsseg.evaluate(folder / "finished")

    @pytest.mark.parametrize(
        ("tamper", "name"),
        {train_on_test: "split.json", edit_plan: "plan.toml", edit_scores: "metrics.json"}.items(),
    )
    def test_is_not_compared(self, folder, tamper, name):
        tamper(folder / "finished", folder / "other")
        found = marsseg.compare(folder / "finished", folder / "other")
        assert [len(group.runs) for group in found.groups] == [1]
        assert [(path.name, f"{name}: not as the run wrote it" in why) for path, why in found.apart] == [
            ("finished", True)
        ]

    def test_in_a_network_is_said_where_it_is_loaded(self, folder):
        take_network(folder / "finished", folder / "other")
        with warned_of(r"network\.keras is not as the run wrote it"):
            marsseg.load(folder / "finished")

    def test_in_a_text_for_people_is_no_matter(self, folder):
        for name in ("log.txt", "history.csv", "environment.json", "report.html"):
            file = folder / "finished" / name
            file.write_text(file.read_text() + "\n")
        (folder / "finished" / "notes.txt").write_text("mine")
        assert RunFolder(folder / "finished").changed() == []
        assert marsseg.evaluate(folder / "finished").to_json()["miou"] is not None


class TestAFolder:
    def test_that_is_as_it_was_written_is_scored_compared_and_gone_on_with(self, folder):
        kept = json.loads((folder / "finished" / "metrics.json").read_text())["subsets"]["test"]
        with no_warning():
            assert marsseg.evaluate(folder / "finished").to_json()["miou"] == pytest.approx(kept["miou"], abs=1e-6)
            assert marsseg.compare(folder / "finished", folder / "other").apart == ()
        assert marsseg.resume(folder / "killed").metrics["status"] == "finished"
        assert RunFolder(folder / "killed").changed() == []

    def test_that_began_with_another_number_of_threads_says_so(self, folder):
        file = folder / "killed" / "environment.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | {"threads": 99}))
        lines = []
        with warnings_told(lines):
            marsseg.resume(folder / "killed")
        assert any("threads 99 → " in line and "may not be the same" in line for line in lines)

    def test_without_its_checkpoint_is_scored(self, folder):
        """It is large, and no longer needed."""
        shutil.rmtree(folder / "finished" / "checkpoint")
        assert marsseg.evaluate(folder / "finished").to_json()["miou"] is not None

    def test_from_before_there_was_a_manifest_gets_one_for_what_is_written_from_now_on(self, folder):
        killed = RunFolder(folder / "killed")
        killed.manifest.unlink()
        marsseg.resume(killed.path)
        files = set(killed.read_json(killed.manifest)["files"])
        assert files - {"network.keras"} == {"metrics.json", "checkpoint/last.npz"}  # a better network, or none

    def test_with_a_broken_manifest_is_refused(self, folder):
        (folder / "finished" / "manifest.json").write_text('{"files": 1}')
        with pytest.raises(RequestError, match=r"manifest\.json is not as a run writes it"):
            marsseg.evaluate(folder / "finished")

    def test_whose_network_has_other_classes_is_not_scored(self, folder, tmp_path):
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
    """A process may be killed between any two of its writes; what it leaves is accepted."""

    @staticmethod
    def killing(monkeypatch, at: int, *, after: bool) -> None:
        """Die at the `at`th renaming, before it or after it. What would tidy up in a living process does not run."""
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
    def test_while_files_are_written(self, tmp_path, monkeypatch, at, after):
        """Each writing is two renamings: the manifest's and the file's own."""
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
            again.metrics.write_text(before)  # what it replaced is known, for a kill just then
            assert again.changed() == []

    @pytest.mark.slow
    @pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
    @pytest.mark.parametrize("at", range(8, 16))
    def test_in_a_training(self, runs, tmp_path, monkeypatch, at, after):
        """From the first epoch's end on; resumed, it comes to the same as one that was left alone."""
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
