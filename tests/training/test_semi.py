"""Trainings with images without labels: what they record, and how they go on."""

from __future__ import annotations

import json
import math
import shutil

import numpy as np
import pytest
from helpers.semi import DATA, WORDS, labels_in, small_network

import marsseg_core as marsseg
from marsseg_core.errors import RequestError
from marsseg_core.files.run_folder import RunFolder
from marsseg_core.planning.options import SemiOptions
from marsseg_core.runs.unlabelled import read_unlabelled
from marsseg_core.training.labelling import any_label
from marsseg_core.training.recorder import RunRecorder
from marsseg_core.training.rounds import Rounds
from marsseg_core.training.semi import factor_at
from marsseg_plugins.semi_supervised.pseudo import Pseudo

pytestmark = pytest.mark.usefixtures("without_observers")


def test_the_factor_rises_over_the_ramp():
    options = SemiOptions(weight=2.0, ramp=4.0)
    factors = [factor_at(epoch, options) for epoch in range(6)]
    assert factors == sorted(factors)
    assert factors[0] == pytest.approx(2 * math.exp(-5))
    assert factors[4:] == [2.0, 2.0]
    assert factor_at(0, SemiOptions(weight=0.5)) == 0.5


def outcome(run):
    history = [{name: value for name, value in row.items() if name != "seconds"} for row in run.history]
    return history, [np.asarray(weight) for weight in run.network.weights], json.loads(run.folder.metrics.read_text())


def whole_and_copies(folder, callback=RunRecorder, hook="on_epoch_end", **words):
    """Return a run, and copies of its folder after each call of a callback's hook, by the number of the epoch.

    Each copy is the folder of a run that was killed then.
    """
    original = getattr(callback, hook)

    def then_copy(self, epoch, logs=None):
        original(self, epoch, logs)
        shutil.copytree(self._run.folder.path, folder / f"{hook}-{epoch}")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(callback, hook, then_copy)
        return marsseg.run(out=folder / "whole", **(WORDS | words))


def assert_same_outcome(run, whole):
    (history, weights, metrics), (expected_history, expected_weights, expected_metrics) = map(outcome, (run, whole))
    assert history == expected_history
    for weight, expected in zip(weights, expected_weights, strict=True):
        np.testing.assert_array_equal(weight, expected)
    assert metrics == expected_metrics


@pytest.fixture(scope="module")
def whole_and_killed(tmp_path_factory):
    """Return a run of two epochs with one worker, and the folder of one that was killed after its first epoch."""
    folder = tmp_path_factory.mktemp("runs")
    whole = whole_and_copies(folder, semi="mean_teacher:ramp=2:cutmix=0.5:transductive=true:batch=3")
    return whole, folder / "on_epoch_end-0"


def test_a_killed_run_ends_like_one_that_was_never_stopped(whole_and_killed, tmp_path):
    """The other run has four workers: results do not depend on them."""
    whole, killed = whole_and_killed
    folder = shutil.copytree(killed, tmp_path / "killed")
    assert_same_outcome(marsseg.resume(folder, workers=4), whole)


@pytest.fixture(scope="module")
def moved(tmp_path_factory):
    """Return a run of fixmatch, the folder of its copies, and the place to which its images without labels moved.

    The images of the training subset are among those without labels, as in the paper.
    """
    folder = tmp_path_factory.mktemp("moved")
    images = marsseg.dataset("synthetic:count=24:height=16:width=16").images
    np.savez(folder / "images.npz", images=images, masks=np.zeros(images.shape[:3], np.uint8))
    words = {"semi": "fixmatch:threshold=0.2", "unlabelled": f"npz:path={folder / 'images.npz'}:range=bits,training"}
    whole = whole_and_copies(folder, **words, arch=small_network())
    (folder / "images.npz").rename(folder / "there.npz")
    return whole, folder, folder / "there.npz"


def test_a_killed_run_of_fixmatch_ends_like_one_that_was_never_stopped(moved, caplog):
    """Its images without labels lie elsewhere by then."""
    whole, folder, place = moved
    killed = RunFolder(folder / "on_epoch_end-0")
    assert whole.history[0]["semi_share"] > 0
    with pytest.raises(RequestError, match="no such file") as caught:
        marsseg.resume(killed.path, arch=small_network())
    assert f"--resume {killed.path} --unlabelled PATH,training" in caught.value.hint
    caplog.set_level("INFO")
    resumed = marsseg.resume(killed.path, unlabelled=f"{place},training", arch=small_network())
    assert_same_outcome(resumed, whole)
    assert f'unlabelled = "marsseg/npz:path={place}:range=bits,training"' in killed.plan.read_text()
    assert f"those without labels from marsseg/npz:path={place}" in caplog.text


def test_the_place_of_the_images_of_a_finished_run_is_recorded_if_they_are_the_same(moved, tmp_path):
    whole, _, place = moved
    folder = RunFolder(shutil.copytree(whole.path, tmp_path / "whole"))
    with np.load(place) as archive:
        np.savez(tmp_path / "other.npz", images=archive["images"][:-1], masks=archive["masks"][:-1])
    words = {"unlabelled": f"{tmp_path / 'other.npz'},training", "arch": small_network()}
    for call in (marsseg.resume, lambda *given, **more: marsseg.extend(*given, epochs=3, out=tmp_path / "x", **more)):
        with pytest.raises(RequestError, match="The images without labels are not what the run was trained on"):
            call(folder.path, **words)
    assert not (tmp_path / "x").exists()
    assert str(tmp_path) not in folder.plan.read_text()
    marsseg.resume(folder.path, **words | {"unlabelled": f"{place},training"})
    assert str(place) in folder.plan.read_text()
    assert not folder.changed()


def test_a_strong_view_that_pastes_pixels_is_refused_before_there_is_a_run_folder(tmp_path):
    words = WORDS | {
        "semi": "fixmatch",
        "overrides": ["semi.fixmatch.strong=noise,rockmix:p=0.01"],
        "arch": small_network(),
    }
    with pytest.raises(RequestError, match="moves pixels or pastes those of others"):
        marsseg.run(**words, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_run_without_a_method_has_no_images_that_moved(cli, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "plan.toml").write_text(marsseg.plan(data=DATA, arch="unet").to_toml())
    for words in (["--resume", "run"], ["--extend", "run", "--epochs", "9"]):
        answer = cli("run", *words, "--unlabelled", DATA)
        assert (answer.code, "The run uses no images without labels" in answer.err) == (2, True)


@pytest.fixture(scope="module")
def rounds(tmp_path_factory):
    """Return a run with two rounds of two epochs, of which the first has no labels, and the folder of its copies."""
    folder = tmp_path_factory.mktemp("rounds")
    words = {"semi": "pseudo:runs=none:rounds=2", "epochs": 4, "averaging": "ema", "ema_momentum": 0.5}
    return whole_and_copies(folder, Rounds, "on_epoch_begin", arch=small_network(), **words), folder


def test_the_network_labels_the_images_from_the_second_round_on(rounds):
    whole, folder = rounds
    shares = [row["semi_share"] for row in whole.history]
    assert shares[:2] == [0, 0]
    assert min(shares[2:]) > 0
    labels = [any_label(labels_in(RunFolder(folder / f"on_epoch_begin-{epoch}"))) for epoch in range(4)]
    assert labels == [False, False, True, True]


def test_patience_does_not_end_a_training_before_its_last_round(tmp_path):
    words = WORDS | {"semi": "pseudo:runs=none:rounds=2", "epochs": 6, "patience": 1, "learning_rate": 1e-12}
    run = marsseg.run(**words, schedule="constant", out=tmp_path / "run")
    assert 3 < len(run.history) < 6


@pytest.mark.parametrize(("epoch", "again"), [(2, True), (3, False)])
def test_a_killed_run_with_rounds_ends_like_one_that_was_never_stopped(rounds, epoch, again, caplog):
    """After its second epoch, the killed run had stored the labels of the second round, and they are made again."""
    whole, folder = rounds
    caplog.set_level("INFO")
    killed = RunFolder(folder / f"on_epoch_begin-{epoch}")
    labels = labels_in(killed)
    assert_same_outcome(marsseg.resume(killed.path, arch=small_network()), whole)
    assert ("Round 2 of 2" in caplog.text) == again
    np.testing.assert_array_equal(labels_in(killed), labels)


def test_a_run_whose_labels_are_gone_is_refused_before_it_makes_them_again(rounds, tmp_path, monkeypatch):
    killed = RunFolder(shutil.copytree(rounds[1] / "on_epoch_begin-1", tmp_path / "killed"))
    killed.labels.unlink()
    monkeypatch.setattr(Pseudo, "label", lambda *_: pytest.fail("the images are labelled"))
    with pytest.raises(RequestError, match="The labels of the images without labels are gone"):
        marsseg.resume(killed.path, arch=small_network())


def test_a_run_whose_labels_and_manifest_are_gone_is_refused(rounds, tmp_path):
    killed = RunFolder(shutil.copytree(rounds[1] / "on_epoch_begin-1", tmp_path / "killed"))
    for path in (killed.labels, killed.manifest):
        path.unlink()
    with pytest.raises(RequestError, match="The labels of the images without labels are gone"):
        marsseg.resume(killed.path, arch=small_network())


def test_a_run_that_was_killed_while_it_stored_its_first_labels_makes_them_again(rounds, tmp_path):
    """Their hash is stored before the file has its name; the environment is recorded after both."""
    whole, folder = rounds
    killed = RunFolder(shutil.copytree(folder / "on_epoch_begin-0", tmp_path / "killed"))
    for path in (killed.labels, killed.environment):
        path.unlink()
    assert_same_outcome(marsseg.resume(killed.path, arch=small_network()), whole)


def test_a_run_records_its_images_and_its_term(whole_and_killed):
    whole, _ = whole_and_killed
    assert whole.folder.read_split()["unlabelled"] == whole.unlabelled.to_json()
    assert json.loads(whole.folder.metrics.read_text())["transductive"] is True
    assert "Transductive: this run. Trained with images of" in repr(whole)
    assert {"semi", "semi_share", "semi_weight"} <= whole.history[0].keys()
    assert whole.history[0]["semi_weight"] < whole.history[1]["semi_weight"]
    assert "without labels: 24 images" in whole.folder.log_file.read_text()


@pytest.mark.slow
@pytest.mark.parametrize(
    "words",
    [
        {"semi": "pseudo:keep=0.8:transductive=true:runs={run}", "loss": "ssce,distill:runs={run}"},
        {
            "semi": "pseudo:soft=true:transductive=true:runs={run}",
            "arch": "refine:run={run}",
            "set": [f"arch.refine.inner={WORDS['arch']}"],
        },
    ],
    ids=["hard labels and distill", "soft labels and refine"],
)
def test_a_killed_run_that_uses_a_finished_one_ends_like_one_that_was_never_stopped(whole_and_killed, words, tmp_path):
    """The finished run is transductive, so these are, too."""
    texts = {name: text.format(run=whole_and_killed[0].path) for name, text in words.items() if name != "set"}
    whole = whole_and_copies(tmp_path, **texts, overrides=words.get("set", ()))
    killed = RunFolder(tmp_path / "on_epoch_end-0")
    assert labels_in(killed).ndim == (4 if "soft" in words["semi"] else 3)
    assert whole.history[0]["semi_share"] > 0
    assert_same_outcome(marsseg.resume(killed.path), whole)


def test_images_of_another_size_cannot_be_found_among_the_held_out_ones(whole_and_killed, caplog):
    whole, _ = whole_and_killed
    plan = marsseg.plan(**WORDS | {"unlabelled": "synthetic:count=4:height=32:width=64"}, semi="mean_teacher")
    assert len(read_unlabelled(plan, whole.data, whole.split).images) == 4
    assert "none of them is found" in caplog.text


def test_a_run_whose_images_changed_is_refused(whole_and_killed, tmp_path):
    folder = shutil.copytree(whole_and_killed[1], tmp_path / "killed")
    (folder / "manifest.json").unlink()
    split = json.loads((folder / "split.json").read_text())
    split["unlabelled"]["fingerprint"] = "0" * 32
    (folder / "split.json").write_text(json.dumps(split))
    with pytest.raises(RequestError, match="The images without labels are not what the run was trained on"):
        marsseg.resume(folder)
