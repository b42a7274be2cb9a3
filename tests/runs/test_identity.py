"""The identity of a run: its data is its pixels, groups and classes, and its files belong together."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers.messages import warnings_told
from helpers.paths import FROZEN

import marsseg_core as marsseg
from marsseg_core.data.leaks import identical_across
from marsseg_core.data.splits import Split
from marsseg_core.errors import RequestError
from marsseg_core.files.run_folder import RunFolder
from marsseg_core.networks.wiring import same_wiring
from marsseg_core.runs.recorded_data import recorded_split
from marsseg_core.training.beginning import environment

pytestmark = pytest.mark.usefixtures("without_reports")

SYNTHETIC = {"count": 20, "height": 16, "width": 32}


@pytest.fixture
def finished(tmp_path) -> RunFolder:
    """A copy of a finished run that a test may change."""
    shutil.copytree(FROZEN / "finished", tmp_path / "run")
    return RunFolder.open(tmp_path / "run")


@pytest.fixture(scope="module")
def data():
    return marsseg.dataset("synthetic", **SYNTHETIC)


def edit(path: Path, change) -> None:
    content = json.loads(path.read_text(encoding="utf-8"))
    change(content)
    path.write_text(json.dumps(content), encoding="utf-8")


class TestData:
    def test_the_data_of_the_run_is_accepted(self, finished, data):
        assert len(recorded_split(finished, data).test) == 3

    def test_renamed_classes_are_different_data(self, finished, data):
        renamed = replace(data, class_names=("ground", *data.class_names[1:]))
        with pytest.raises(RequestError, match="its classes are ground, soil, bedrock, sand, big_rock, not background"):
            recorded_split(finished, renamed)

    def test_swapped_class_names_are_different_data(self, finished, data):
        background, soil, *others = data.class_names
        with pytest.raises(RequestError, match="its classes are"):
            recorded_split(finished, replace(data, class_names=(soil, background, *others)))

    def test_other_ignored_classes_are_different_data(self, finished, data):
        with pytest.raises(RequestError, match="its ignored classes are none, not background"):
            recorded_split(finished, replace(data, ignore_classes=()))

    def test_a_run_is_not_resumed_after_a_change_of_its_class_file(self, tmp_path, cli):
        """Otherwise background would count after resuming, and training and scores would use different classes."""
        shutil.copytree(FROZEN, tmp_path / "frozen")
        run = tmp_path / "frozen" / "photos-killed"
        plan = (run / "plan.toml").read_text(encoding="utf-8").replace("@FROZEN@", (tmp_path / "frozen").as_posix())
        (run / "plan.toml").write_text(plan, encoding="utf-8")
        names = "ground\nsoil\nbedrock\nsand\nbig_rock\n"
        (tmp_path / "frozen" / "photos" / "classes.csv").write_text(names, encoding="utf-8")
        answer = cli("run", "--resume", str(run))
        assert answer.code == 2
        assert "its classes are ground" in answer.err
        assert not (run / "metrics.json").exists()


class TestFiles:
    @pytest.mark.parametrize(
        ("change", "says"),
        [
            (lambda split: split["train"].append(split["test"][0]), r"it has item \d+ twice"),
            (lambda split: split["test"].append(99), "it has item 99 of 20"),
            (lambda split: split["validation"].clear(), "validation has no item"),
            (lambda split: split.update(test=[0.5]), r"split.json: test\[0\] must be a whole number from 0, not 0.5"),
        ],
        ids=["test in train", "beyond", "empty", "no number"],
    )
    def test_a_changed_split_is_refused(self, finished, data, change, says):
        edit(finished.split, change)
        with pytest.raises(RequestError, match=says):
            recorded_split(finished, data)

    def test_a_split_that_divides_a_group_is_refused(self):
        groups = np.array([0, 0, 1, 2])
        assert Split((0, 1), (2,), (3,)).fault(4, groups) == ""
        assert Split((0,), (1, 2), (3,)).fault(4, groups) == "group 0 is in train and in validation"

    @pytest.mark.parametrize(
        ("value", "says"), [("5.0", "which is not a possible score"), ("Infinity", "never writes the number Infinity")]
    )
    def test_an_impossible_score_is_not_compared(self, finished, value, says):
        text = finished.metrics.read_text(encoding="utf-8")
        first = text.index('"miou": ', text.index('"test"')) + len('"miou": ')
        finished.metrics.write_text(text[:first] + value + text[text.index(",", first) :], encoding="utf-8")
        comparison = marsseg.compare(finished.path, FROZEN / "series")
        assert [says in reason for _, reason in comparison.skipped] == [True]

    def test_a_network_with_nan_weights_is_refused(self, finished):
        network = marsseg.load(finished.path)
        network.weights[0].assign(network.weights[0] * float("nan"))
        network.save(finished.network)
        with pytest.raises(RequestError, match="weights of the network are not finite"):
            marsseg.load(finished.path)


class TestComparison:
    def test_runs_with_different_ignored_classes_are_not_averaged(self, tmp_path):
        for name, seed, ignore_classes in (("a", 1, [0]), ("b", 2, [0, 1])):
            shutil.copytree(FROZEN / "finished", tmp_path / name)
            plan = (tmp_path / name / "plan.toml").read_text(encoding="utf-8")
            head, tail = plan.split("[training]")
            (tmp_path / name / "plan.toml").write_text(
                f"{head}[training]{tail.replace('seed = 0', f'seed = {seed}')}", encoding="utf-8"
            )
            edit(
                tmp_path / name / "split.json",
                lambda split, ignore_classes=ignore_classes: split.update(ignored=ignore_classes),
            )
        comparison = marsseg.compare(tmp_path / "a", tmp_path / "b")
        assert [len(group.runs) for group in comparison.groups] == [1, 1]
        assert [reason for _, reason in comparison.other_data] == ["other ignored classes: background, soil"]

    @pytest.mark.parametrize(
        ("change", "reason"),
        [
            (lambda split: split["classes"].reverse(), "the classes in another order: big_rock, sand"),
            (lambda split: split["classes"].__setitem__(0, "ground"), "other classes: ground, soil"),
            (lambda split: split["test"].append(split["train"].pop()), "other items of the data"),
        ],
        ids=["order", "names", "split"],
    )
    def test_runs_with_different_classes_or_splits_are_not_averaged(self, tmp_path, change, reason):
        """The plans differ in the seed only, but the runs are scored on different data."""
        for name, seed in (("a", 1), ("b", 2)):
            shutil.copytree(FROZEN / "finished", tmp_path / name)
            head, tail = (tmp_path / name / "plan.toml").read_text(encoding="utf-8").split("[training]")
            text = f"{head}[training]{tail.replace('seed = 0', f'seed = {seed}')}"
            (tmp_path / name / "plan.toml").write_text(text, encoding="utf-8")
        edit(tmp_path / "b" / "split.json", change)
        comparison = marsseg.compare(tmp_path / "a", tmp_path / "b")
        assert [len(group.runs) for group in comparison.groups] == [1, 1]
        assert [said.startswith(reason) for _, said in comparison.other_data] == [True]


class TestLeaks:
    def test_identical_images_in_several_subsets_are_counted(self, data):
        images = np.array(data.images)
        images[7] = images[3]
        copied = replace(data, images=images)
        assert identical_across(copied, Split((3, 7), (1,), (2,))) == ""
        assert "2 images are identical to one in another subset of the split (3, 7)," in identical_across(
            copied, Split((3, 4), (1,), (7,))
        )

    def test_a_run_warns_about_identical_images_and_logs_it(self, data, tmp_path):
        images = np.array(data.images)
        images[:] = images[0]
        np.savez(tmp_path / "copies.npz", images=images, masks=data.masks)
        lines = []
        words = {"arch": "unet:width=0.125:depth=1:convolutions=1", "epochs": 1}
        with warnings_told(lines):
            run = marsseg.run(data=str(tmp_path / "copies.npz"), out=tmp_path / "run", **words)
        said = [line for line in lines if line.startswith("20 images are identical to one in another subset")]
        assert len(said) == 1
        assert f"warning: {said[0]}" in run.folder.log_file.read_text(encoding="utf-8")


class TestEnvironment:
    def test_has_the_number_of_threads(self, monkeypatch):
        assert environment({})["threads"] >= 1
        monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", "3")
        assert environment({})["threads"] == 3


class TestWiring:
    def test_wiring_depends_on_layers_but_not_on_names_and_weights(self):
        one, same = marsseg.network("unet:width=0.125:depth=1"), marsseg.network("unet:width=0.125:depth=1")
        assert same_wiring(one, same)
        assert not same_wiring(one, marsseg.network("unet:width=0.125:depth=1:upsampling=bilinear"))

    def test_a_saved_network_has_the_wiring_it_was_built_with(self):
        plan_of = marsseg.network("unet:width=0.125:depth=1:convolutions=1", height=16, width=32)
        assert same_wiring(plan_of, marsseg.load(FROZEN / "finished"))
