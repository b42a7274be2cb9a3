"""Finished runs, or the network itself, label the images without labels."""

from __future__ import annotations

import math
import shutil
from dataclasses import dataclass

import keras
import numpy as np
import pytest
from helpers.semi import DATA, SPLIT, WORDS, small_network

import marsseg_core as marsseg
from marsseg_core.data.split import Split
from marsseg_core.errors import PluginError, RequestError, RunError
from marsseg_core.files.run_folder import RunFolder
from marsseg_core.runs.unlabelled import read_unlabelled
from marsseg_core.training import labelling
from marsseg_core.training.labelling import label_images, store_labels, stored_labels
from marsseg_plugins.semi_supervised.pseudo import Pseudo

pytestmark = pytest.mark.usefixtures("without_observers")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Return a finished run, which is transductive."""
    words = WORDS | {"semi": "mean_teacher:ramp=2:cutmix=0.5:transductive=true:batch=3"}
    return marsseg.run(out=tmp_path_factory.mktemp("labels") / "whole", **words)


def labelled_by(run, split, method="pseudo:keep=0.8"):
    method = method if ":runs=" in method else f"{method}:runs={run.path}"
    plan = marsseg.plan(**WORDS, semi=method)
    unlabelled = read_unlabelled(plan, run.data, split)
    return label_images(plan, run.data, split, unlabelled), unlabelled


def test_labels_of_a_run_are_stored_with_their_hash(whole, tmp_path):
    labels, unlabelled = labelled_by(whole, whole.split, "pseudo:keep=0.8:transductive=true")  # as the run itself is
    assert labels.shape == unlabelled.images.shape[:3]
    assert 0.1 < (labels == 255).mean() < 0.3
    folder = RunFolder(tmp_path)
    assert stored_labels(folder, unlabelled, 5) is None
    store_labels(folder, labels)
    np.testing.assert_array_equal(stored_labels(folder, unlabelled, 5), labels)
    folder.labels.write_bytes(folder.labels.read_bytes()[:-20])
    with pytest.raises(RequestError, match=r"labels\.npz: not as the run wrote it"):
        folder.check_unchanged()
    with pytest.raises(RequestError, match="cannot be read"):
        stored_labels(folder, unlabelled, 5)


@pytest.mark.parametrize(
    ("labels", "what"),
    [
        (np.zeros((3, 16, 16), np.uint8), "not uint8"),
        (np.zeros((18, 16, 16), np.int8), "not uint8"),
        (np.full((18, 16, 16), 77, np.uint8), "77 is not a class"),
        (np.zeros((18, 16, 16, 400), np.uint8), "may have"),
    ],
    ids=["other images", "another type", "no class", "a bomb"],
)
def test_other_stored_labels_are_refused(tmp_path, labels, what):
    """The manifest, which has the hash of the right ones, may be missing."""
    plan = marsseg.plan(**WORDS, semi="pseudo:runs=none:rounds=2")
    unlabelled = read_unlabelled(plan, marsseg.dataset(DATA), SPLIT)
    store_labels(RunFolder(tmp_path), labels)
    with pytest.raises(RequestError, match=what):
        stored_labels(RunFolder(tmp_path), unlabelled, 5)


def test_each_of_several_runs_that_label_must_take_such_images(whole, tmp_path, monkeypatch):
    colour = shutil.copytree(whole.path, tmp_path / "colour")
    network = keras.Sequential([keras.Input((16, 16, 3)), keras.layers.Conv2D(5, 1)])
    load = labelling.load
    monkeypatch.setattr(labelling, "load", lambda path, session: network if path == colour else load(path, session))
    with pytest.raises(RequestError, match="The run takes images with 3 channels, these have 1") as error:
        labelled_by(whole, whole.split, f"pseudo:transductive=true:runs={colour}+{whole.path}")
    assert str(colour) in str(error.value)
    with pytest.raises(RequestError, match="The run takes images with 3 channels, these have 1"):
        labelled_by(whole, whole.split, f"pseudo:transductive=true:runs={whole.path}+{colour}")


def test_a_method_of_a_plugin_must_label_with_an_array(whole):
    @dataclass(frozen=True)
    class Lists(Pseudo):
        def label(self, spec):
            return [[0]]

    plan = marsseg.plan(**WORDS, semi=Lists((str(whole.path),)))
    with pytest.raises(PluginError, match="labels images with a list, not a NumPy array"):
        label_images(plan, whole.data, whole.split, read_unlabelled(plan, whole.data, whole.split))


def test_a_network_whose_output_is_not_finite_gives_no_labels():
    network = small_network()
    network.get_layer("logits").bias.assign([math.nan] * 5)
    plan = marsseg.plan(**WORDS, semi="pseudo:runs=none:rounds=2")
    data = marsseg.dataset(DATA)
    with pytest.raises(RunError, match="predicts nan for image 0 without labels"):
        label_images(plan, data, SPLIT, read_unlabelled(plan, data, SPLIT), network, 2)


@pytest.mark.parametrize("method", ["pseudo:keep=0.8", "pseudo:transductive=true"])
def test_a_run_that_learned_the_test_images_must_not_label(whole, method):
    """Not even for a transductive run, which uses these images without their labels."""
    other = Split(whole.split.test + whole.split.validation, whole.split.train[:4], whole.split.train[4:])
    with pytest.raises(RequestError, match="was trained on images of this run's validation or test subset"):
        labelled_by(whole, other, method)


def test_the_network_that_labels_must_be_that_of_the_plan(whole, tmp_path):
    folder = RunFolder(shutil.copytree(whole.path, tmp_path / "copy"))
    plan = marsseg.plan(**WORDS, semi=f"pseudo:runs={folder.path}:transductive=true")
    unlabelled = read_unlabelled(plan, whole.data, whole.split)
    (folder.path / "manifest.json").unlink()
    folder.network.write_bytes(folder.network.read_bytes() + b"changed")
    with pytest.raises(RequestError, match="has changed since the plan was made"):
        label_images(plan, whole.data, whole.split, unlabelled)
