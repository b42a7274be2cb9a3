"""Go on with runs: more epochs, moved data, a report made up for, and runs killed before they had begun."""

import shutil

import numpy as np
import pytest
from helpers.messages import warnings_told

import marsseg_core as marsseg
from marsseg_core.errors import RequestError, RunError
from marsseg_core.files.run_folder import RunFolder
from marsseg_core.training import loop
from marsseg_core.training.checkpoint import TrainingProgress
from marsseg_core.training.extension import _length_warnings
from marsseg_core.training.recorder import RunRecorder

pytestmark = pytest.mark.usefixtures("without_observers")

WORDS = {
    "arch": "unet:width=0.125:depth=1:convolutions=1:dropout=0.2",
    "bottleneck": None,
    "loss": "dice",
    "augment": "hflip",
    "schedule": "constant",
    "batch": 8,
    "patience": 9,
}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Return a folder with the data set of all runs here, and one with another mask."""
    from marsseg_plugins.datasets.synthetic import Synthetic

    folder, data = tmp_path_factory.mktemp("data"), Synthetic(count=16, height=16, width=16).load()
    np.savez(folder / "tiles.npz", images=data.images, masks=data.masks)
    np.savez(folder / "other.npz", images=data.images, masks=data.masks[::-1])
    return folder


@pytest.fixture(scope="module")
def trained(files, tmp_path_factory):
    """Return a finished run of two epochs."""
    path = tmp_path_factory.mktemp("runs") / "two"
    return marsseg.run(out=path, epochs=2, data=files / "tiles.npz", **WORDS).folder


@pytest.fixture
def finished(trained, tmp_path):
    """Return a copy of a finished run of two epochs."""
    return RunFolder(shutil.copytree(trained.path, tmp_path / "two"))


def history_of(folder):
    return [{name: value for name, value in row.items() if name != "seconds"} for row in folder.read_history()]


def contents(path):
    return {file.relative_to(path).as_posix(): file.read_bytes() for file in path.rglob("*") if file.is_file()}


def without_metrics(folder):
    """Make a finished run one that was killed before it was scored."""
    folder.metrics.unlink()
    return folder


class TestExtend:
    def test_equals_one_training_and_can_be_killed_and_resumed(self, finished, files, tmp_path, monkeypatch):
        whole = marsseg.run(out=tmp_path / "three", epochs=3, data=files / "tiles.npz", **WORDS).folder
        before = contents(finished.path)

        def dying(self, epoch, logs=None):
            raise SystemExit

        with monkeypatch.context() as patch:
            patch.setattr(RunRecorder, "on_epoch_end", dying)
            with pytest.raises(SystemExit):
                marsseg.extend(finished, epochs=3, out=tmp_path / "extended")
        run = marsseg.resume(tmp_path / "extended")
        assert history_of(run.folder) == history_of(whole)
        for name in ("metrics.json", "plan.toml", "split.json"):
            assert (run.path / name).read_bytes() == (whole.path / name).read_bytes()
        assert contents(finished.path) == before
        assert run.folder.read_json(run.folder.environment)["extends"] == {"run": str(finished.path), "epochs": 2}
        assert "from 2 to 3 epochs" in run.folder.log_file.read_text()

    @pytest.mark.parametrize(
        ("state", "message"),
        [
            ("not finished", "not finished"),
            ("as many epochs", "has 2 epochs already"),
            ("no checkpoint", "no longer has a checkpoint"),
            ("stopped early", "Early stopping ended the run after epoch 2"),
        ],
    )
    def test_is_refused_with_the_reason(self, finished, tmp_path, monkeypatch, state, message):
        if state == "not finished":
            without_metrics(finished)
        elif state == "no checkpoint":
            finished.checkpoint.unlink()
        elif state == "stopped early":
            monkeypatch.setattr(TrainingProgress, "stopped", True)
        with pytest.raises(RequestError, match=message):
            marsseg.extend(finished, epochs=2 if state == "as many epochs" else 3, out=tmp_path / "extended")
        assert not (tmp_path / "extended").exists()

    @pytest.mark.parametrize(
        ("changes", "warning"),
        [
            ({}, None),
            ({"schedule": "constant:warmup=1"}, None),
            ({"schedule": "plateau"}, None),
            ({"schedule": "cosine_restarts:period=1"}, None),
            ({"schedule": "cosine"}, "'cosine' depends on the number of epochs: from epoch 3 on"),
            ({"schedule": "onecycle"}, "'onecycle' depends on the number of epochs"),
            (
                {"loss": "dice,ssce", "weighting": "scheduled", "overrides": ["weighting.scheduled.end=1,2"]},
                "'scheduled' may depend",
            ),
            ({"overrides": ["training.averaging=swa"]}, "swa"),
        ],
    )
    def test_warns_of_what_depends_on_the_number_of_epochs(self, changes, warning):
        plan = marsseg.plan(epochs=4, **(WORDS | changes))
        progress = TrainingProgress(2, [], 1, 0.5, {})
        warnings = list(_length_warnings(plan, 2, progress, steps=3))
        assert len(warnings) == (warning is not None)
        assert all(warning in line for line in warnings)

    def test_needs_the_number_of_epochs_and_takes_no_other_option(self, cli, tmp_path):
        answer = cli("run", "--extend", str(tmp_path))
        assert (answer.code, "--epochs N" in answer.err) == (2, True)
        answer = cli("run", "--extend", str(tmp_path), "--epochs", "9", "--batch", "2")
        assert (answer.code, "--batch cannot be used" in answer.err) == (2, True)
        assert "--extend cannot be used" in cli("run", "--extend", "a", "--resume", "b").err


class TestMovedData:
    def test_is_recorded_if_it_is_the_same(self, finished, files, tmp_path, cli):
        """As if the file had been moved: the path in the plan is replaced by one where nothing is."""
        gone = finished.plan.read_text().replace(str(files / "tiles.npz"), str(tmp_path / "gone.npz"))
        finished.write_text(finished.plan, gone)
        with pytest.raises(RequestError) as caught:
            marsseg.evaluate(finished)
        assert f"--resume {finished.path} --data" in caught.value.hint
        before = contents(finished.path)
        answer = cli("run", "--resume", str(finished.path), "--data", str(files / "other.npz"))
        assert (answer.code, "images, masks or groups differ" in answer.err) == (2, True)
        assert contents(finished.path) == before
        answer = cli("run", "--resume", str(finished.path), "--data", str(files / "tiles.npz"))
        assert answer.code == 0, answer.err
        assert marsseg.plan(finished).to_toml() == finished.plan.read_text()
        assert marsseg.evaluate(finished).to_json() == finished.read_metrics()["subsets"]["test"]

    def test_of_an_unfinished_run_is_named_in_the_error_and_recorded(self, finished, files, tmp_path, monkeypatch):
        without_metrics(finished)
        moved = shutil.copy(files / "tiles.npz", tmp_path / "moved.npz")
        finished.write_text(finished.plan, finished.plan.read_text().replace(str(files), str(tmp_path)))
        with pytest.raises(RequestError, match="no such file") as caught:
            marsseg.resume(finished)
        assert f"--resume {finished.path} --data" in caught.value.hint
        monkeypatch.setattr(loop, "_train_and_score", lambda *arguments, **more: None)
        marsseg.resume(finished, data=moved)
        assert f'path = "{moved}"' in finished.plan.read_text()
        assert not finished.changed()


class TestKilledBeforeItBegan:
    @pytest.mark.parametrize("names", [[], [".plan.123.toml"], ["plugins/mine.py", ".manifest.7.json"]])
    def test_without_a_plan_the_error_says_that_nothing_is_lost(self, tmp_path, cli, names):
        for name in names:
            (tmp_path / "run" / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "run" / name).touch()
        (tmp_path / "run").mkdir(exist_ok=True)
        answer = cli("run", "--resume", "run")
        assert answer.code == 2
        assert "nothing is lost: delete the folder, and start the run again" in answer.err

    @pytest.mark.parametrize("last", ["plan.toml", "split.json", "environment.json"])
    def test_with_a_plan_it_starts_from_its_beginning(self, finished, tmp_path, monkeypatch, last):
        beginning = ["manifest.json", "plan.toml", "split.json", "environment.json"]
        folder = RunFolder(tmp_path / "killed")
        folder.path.mkdir()
        for name in beginning[: beginning.index(last) + 1]:
            shutil.copy(finished.path / name, folder.path)
        (folder.path / ".split.123.json").write_text("half")
        reached = []
        monkeypatch.setattr(loop, "_train_and_score", lambda run, *more, **others: reached.append(run))
        marsseg.resume(folder)
        assert reached
        assert [name for name in beginning if not (folder.path / name).is_file()] == []
        assert folder.split.read_bytes() == finished.split.read_bytes()
        assert not (folder.path / ".split.123.json").exists()

    def test_with_only_a_plan_it_ends_as_if_it_had_not_been_killed(self, finished, tmp_path):
        (tmp_path / "killed").mkdir()
        shutil.copy(finished.plan, tmp_path / "killed")
        run = marsseg.resume(tmp_path / "killed")
        assert history_of(run.folder) == history_of(finished)
        assert run.folder.metrics.read_bytes() == finished.metrics.read_bytes()


class TestReport:
    def test_is_made_up_for(self, finished, cli):
        with pytest.raises(RequestError, match="finished") as caught:
            marsseg.resume(finished)
        assert f"marsseg run --extend {finished.path} --epochs" in caught.value.hint
        assert f"marsseg report {finished.path}" in caught.value.hint
        (finished.path / ".report.123.html").write_text("half")
        answer = cli("report", str(finished.path))
        assert answer.code == 0, answer.err
        assert answer.out == f"{finished.report}\n"
        assert sorted(file.stem for file in finished.figures.iterdir()) == [
            "confusion_matrix",
            "learning_curves",
            "tiles",
        ]
        assert not (finished.path / ".report.123.html").exists()
        assert finished.log_file.read_text().endswith("report written\n")

    def test_returns_the_run_with_its_history_and_scores(self, finished, monkeypatch):
        seen = []
        monkeypatch.setattr("marsseg_plugins.observers.report.write.write_report", seen.append)
        run = marsseg.report(finished)
        assert seen == [run]
        assert run.metrics == finished.read_metrics()
        assert {subset: scores.to_json() for subset, scores in run.scores.items()} == run.metrics["subsets"]
        assert [row["epoch"] for row in run.history] == [1, 2]
        assert not run.interrupted

    def test_that_fails_is_an_error(self, finished, monkeypatch):
        def fail(run):
            raise ValueError("no ink")

        monkeypatch.setattr("marsseg_plugins.observers.report.write.write_report", fail)
        told = []
        with warnings_told(told), pytest.raises(RunError, match="not written"):
            marsseg.report(finished)
        assert any("no ink" in line for line in told)

    def test_needs_a_run_that_has_ended(self, finished, cli):
        answer = cli("report", str(without_metrics(finished).path))
        assert answer.code == 2
        assert f"marsseg run --resume {finished.path}" in answer.err


def test_a_history_that_is_written_is_read_again(tmp_path):
    rows = [{"epoch": 1, "loss": 0.1, "val_miou": None}, {"epoch": 2, "loss": 1 / 3, "val_miou": 1e-17}]
    folder = RunFolder(tmp_path)
    folder.write_history(rows)
    assert folder.read_history() == rows
    folder.history.write_text("epoch,loss\n1,x\n")
    with pytest.raises(RequestError, match=r"history\.csv cannot be read"):
        folder.read_history()
