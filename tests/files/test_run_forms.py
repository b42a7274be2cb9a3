"""Test the files of run folders: what old versions wrote is read, and damage is told by file and field."""

from __future__ import annotations

import json
import shutil

import pytest
from helpers.paths import FROZEN

from marsseg_core.errors import RequestError
from marsseg_core.files.run_folder import RunFolder


@pytest.fixture
def folder(tmp_path) -> RunFolder:
    """A finished run of version 0.1.0, without its large files."""
    for name in ("plan.toml", "split.json", "metrics.json", "environment.json"):
        shutil.copy(FROZEN / "finished" / name, tmp_path)
    return RunFolder.open(tmp_path)


def refusal(read, *words) -> RequestError:
    with pytest.raises(RequestError) as error:
        read(*words)
    return error.value


def edit(path, change) -> None:
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


@pytest.mark.parametrize("path", sorted(FROZEN.glob("**/*.json")), ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_what_version_0_1_0_wrote_has_the_declared_form(path):
    assert RunFolder(path.parent).read_json(path)


def test_the_scores_of_version_0_1_0_are_read_under_their_current_name(folder):
    assert set(folder.read_metrics()["subsets"]) == {"validation", "test"}


@pytest.mark.parametrize(
    ("name", "change", "says"),
    [
        ("metrics", lambda c: c["parts"]["test"].update(miou="x"), "parts.test.miou must be a number or null, not 'x'"),
        (
            "metrics",
            lambda c: c["parts"]["test"].update(confusion=[3]),
            "parts.test.confusion[0] must be a list, not 3",
        ),
        ("metrics", lambda c: c.clear(), "status, subsets are missing"),
        ("metrics", lambda c: c.update(status=None), "status must be a string, not None"),
        ("split", lambda c: c.pop("classes"), "classes is missing"),
        ("split", lambda c: c["train"].append("7"), "train[14] must be a whole number from 0, not '7'"),
        ("split", lambda c: c["ignored"].append(9), "ignored has class 9, but there are 5 classes"),
        ("split", lambda c: c.update(names=["a", 1]), "names[1] must be a string, not 1"),
        ("split", lambda c: c.update(scaling={"low": 0}), "scaling.high, scaling.numbers, scaling.per are missing"),
        ("split", lambda c: c.update(colours=[[1, 2]]), "colours[0] must be a list of at least 3, not [1, 2]"),
        ("split", lambda c: c.update(colours=[[1, 2, 3]]), "colours are not three numbers for each class"),
        ("environment", lambda c: c.update(versions=[]), "versions must be a table, not []"),
    ],
)
def test_damage_is_told_by_file_and_field(folder, name, change, says):
    path = folder.path / f"{name}.json"
    edit(path, change)
    error = refusal({"split": folder.read_split}.get(name, lambda: folder.read_json(path)))
    assert (error.what, error.where) == (f"{name}.json: {says}.", str(folder.path))


def test_names_of_items_and_keys_of_newer_versions_are_read(folder):
    edit(folder.split, lambda content: content.update(names=["a", "b"], newer={"x": None}))
    assert folder.read_split()["names"] == ["a", "b"]
    edit(folder.split, lambda content: content.update(names=None))
    assert folder.read_split()["names"] is None


def test_an_empty_or_missing_file_says_what_to_do(folder):
    folder.metrics.write_text("")
    error = refusal(folder.check_unfinished)
    assert error.what == "metrics.json cannot be read: it is empty."
    assert error.hint.startswith(f"Remove the file; `marsseg run --resume {folder.path}`")
    folder.split.unlink()
    error = refusal(folder.read_split)
    assert error.what == "split.json cannot be read: No such file or directory."
    assert f"marsseg run --plan {folder.path}" in error.hint


def test_a_folder_whose_run_wrote_no_plan_says_what_to_do(tmp_path):
    error = refusal(RunFolder.open, tmp_path)
    assert error.what.endswith("is not a run folder: it has no plan.toml.")
    assert "If a run was killed there before it began, nothing is lost" in error.hint
    assert "killed" not in refusal(RunFolder.open, tmp_path / "nowhere").hint


def test_the_network_of_a_run_is_not_its_folder():
    with pytest.raises(RequestError, match="the network of a run") as caught:
        RunFolder.open(FROZEN / "finished" / "network.keras")
    assert caught.value.hint == f"Name the folder: {FROZEN / 'finished'}"


def test_a_finished_run_without_its_network_says_so(tmp_path):
    run = shutil.copytree(FROZEN / "finished", tmp_path / "run")
    (run / "network.keras").unlink()
    with pytest.raises(RequestError, match="finished, but it has no network: the file is gone"):
        RunFolder.open(run).network_hash()


@pytest.mark.parametrize("name", ["/etc/passwd", "../sound/plan.toml", "a/../../b"])
def test_a_manifest_cannot_name_files_outside_the_folder(folder, name):
    folder.manifest.write_text(json.dumps({"files": {name: ["0" * 32]}}))
    assert "outside the folder" in refusal(folder.changed).what


@pytest.mark.parametrize("name", ["", "\0", "x" * 300, "figures"])
def test_a_manifest_with_names_that_no_file_has_is_read(folder, name):
    (folder.path / "figures").mkdir()
    folder.manifest.write_text(json.dumps({"files": {name: ["0" * 32], "plan.toml": ["0" * 32]}}))
    assert folder.changed() == ["plan.toml"]


def test_the_history_has_the_columns_of_all_epochs(folder):
    folder.write_history([{"epoch": 1, "loss": 1.0, "old": 2.0}, {"epoch": 2, "loss": None, "new": 3.0}])
    assert folder.history.read_text() == "epoch,loss,new,old\n1,1.0,,2.0\n2,,3.0,\n"


def test_a_series_is_opened_as_its_runs(tmp_path):
    series = shutil.copytree(FROZEN / "series", tmp_path / "seeds")
    assert [run.path for run in RunFolder.open_all(series)] == [series / "seed-0", series / "seed-1"]
    error = refusal(RunFolder.open, series)
    assert error.what == f"'{series}' is a series of 2 runs; here, one run is needed."
    assert error.hint == f"Name one of {series / 'seed-0'}, {series / 'seed-1'}."
    (series / "seed-0" / "plan.toml").unlink()
    assert [run.path for run in RunFolder.open_all(series)] == [series / "seed-1"]
    assert "is a series of 1 run" in refusal(RunFolder.open, series).what
