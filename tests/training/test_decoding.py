"""A run with `decoding=offsets`: chosen on the validation subset, kept in the folder, applied wherever it predicts."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from helpers.paths import FROZEN

import marsseg_core as marsseg
from marsseg_core import hooks
from marsseg_core.data.arrays import SegmentationData
from marsseg_core.errors import RequestError
from marsseg_core.evaluation.decoding import ARGMAX, Decoding
from marsseg_core.evaluation.offsets import Choice, Move, choose_offsets
from marsseg_core.files.run_folder import RunFolder
from marsseg_core.inference import ensemble, scoring
from marsseg_core.runs.decoding import decoding_of
from marsseg_core.training import chosen_decoding
from marsseg_plugins.observers.report import write

NAMES = ("background", "soil", "bedrock", "sand", "big_rock")
OFFSETS = (0.0, 0.0, -1.5, 0.0, 2.0)


@pytest.fixture(scope="module")
def data() -> SegmentationData:
    from marsseg_plugins.datasets.synthetic import Synthetic

    return Synthetic(count=24, height=16, width=16).load()


@pytest.fixture(scope="module")
def seen() -> list:
    """The pixels from which the run chooses."""
    return []


@pytest.fixture(scope="module")
def run(data, seen, tmp_path_factory):
    """A tiny run whose search gives `OFFSETS`, whatever the network has learned."""

    def choose(pixels, seed):
        seen.append(pixels)
        assert not choose_offsets(pixels, seed).moves  # too few images to choose from
        return Choice(np.array(OFFSETS[1:]), (Move(3, 2.0, 0.01, 0.97),))

    load = hooks.load_hooks
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chosen_decoding, "choose_offsets", choose)
        patch.setattr(hooks, "load_hooks", lambda observers: load(observers=[]))
        out = tmp_path_factory.mktemp("decoding") / "run"
        return marsseg.run(arch="unet:width=0.125:depth=1", data=data, epochs=1, decoding="offsets", out=out)


@pytest.fixture(autouse=True)
def loaded_once(run, monkeypatch):
    """Each command uses the network in memory: loading it takes longer than all else here."""
    for module in (ensemble, scoring):
        monkeypatch.setattr(module, "load", lambda path, session: run.network)


@pytest.fixture
def folder(run, tmp_path) -> RunFolder:
    """A copy of the run folder, which may be changed."""
    shutil.copytree(run.path, tmp_path / "copy")
    return RunFolder.open(tmp_path / "copy")


def test_the_offsets_are_chosen_on_the_validation_subset(run, data, seen):
    (pixels,) = seen
    assert len(pixels.truth) == data.label_counts[run.split["validation"]][:, 1:-1].sum()
    assert "offsets for decoding need" in (run.path / "log.txt").read_text()
    content = json.loads((run.path / "decoding.json").read_text())
    assert content["offsets"] == dict(zip(NAMES, OFFSETS, strict=True))
    assert content["moves"] == [{"class": "big_rock", "offset": 2.0, "gain": 0.01, "share": 0.97}]
    assert run.decoding == Decoding(OFFSETS)


def test_both_scores_are_recorded(run, data):
    metrics = json.loads((run.path / "metrics.json").read_text())
    assert metrics["decoding"] == "offsets"
    for subset in ("validation", "test"):
        for decoding, recorded in (("run", metrics["subsets"]), ("argmax", metrics["argmax"])):
            scored = marsseg.evaluate(run, data, subset=subset, decoding=decoding).to_json()
            assert {key: recorded[subset][key] for key in ("miou", "confusion")} == {
                key: scored[key] for key in ("miou", "confusion")
            }
    assert metrics["subsets"]["test"]["confusion"] != metrics["argmax"]["test"]["confusion"]


def test_predictions_use_them_and_the_network_stays_plain(run, data):
    images = data.images[:3]
    logits = np.asarray(marsseg.load(run)(images.astype(np.float32) / 255))
    for runs, decoding, offsets in (([run, run], "run", OFFSETS), (run, "run", OFFSETS), (run, "argmax", 0)):
        labels = np.stack(list(marsseg.predict(runs, images, decoding=decoding)))
        expected = (logits + np.float32(offsets))[..., 1:].argmax(axis=-1) + 1
        assert (labels != expected).mean() < 0.01  # the last bit of a probability may decide
    probabilities = list(marsseg.predict(run, images, probabilities=True))
    np.testing.assert_allclose(np.sum(probabilities, axis=-1), 1, atol=1e-5)


def test_tiles_and_flips_use_them(run, data):
    large = np.tile(data.images[:1], (1, 2, 2, 1))
    (probabilities,) = marsseg.predict(run, large, probabilities=True, tta=True)
    (labels,) = marsseg.predict(run, large, tta=True)
    expected = (np.log(probabilities) + np.float32(OFFSETS))[..., 1:].argmax(axis=-1) + 1
    assert (labels != expected).mean() < 0.01
    plain = marsseg.evaluate(run, data, subset="test", tta=True, decoding="argmax").restricted
    assert (plain != marsseg.evaluate(run, data, subset="test", tta=True).restricted).any()


def test_the_commands_use_them_and_say_so(run, data, cli, tmp_path):
    file = tmp_path / "tiles.npz"
    np.savez(file, images=data.images[..., 0], masks=data.masks)
    words = ("predict", str(run.path), "--subset", "all", str(file), "--out")
    answer = cli(*words, "with")
    assert "Decoding: offsets bedrock -1.5, big_rock +2" in answer.err
    assert "Decoding" not in cli(*words, "without", "--decoding", "argmax").err
    from PIL import Image

    masks = [
        np.stack([np.array(Image.open(path)) for path in sorted(tmp_path.glob(f"{name}/masks/*.png"))])
        for name in ("with", "without")
    ]
    assert (masks[0] == 4).sum() > (masks[1] == 4).sum()
    answer = cli("evaluate", str(run.path), "--data", str(file))
    assert "decoding: offsets bedrock -1.5, big_rock +2" in answer.out
    words = ("evaluate", str(run.path), "--data", str(file), "--json")
    assert json.loads(cli(*words).out)["scores"][0]["decoding"] == "offsets bedrock -1.5, big_rock +2"
    assert "decoding" not in json.loads(cli(*words, "--decoding", "argmax").out)["scores"][0]
    answer = cli("evaluate", str(run.path), "--data", str(file), "--decoding", "argmx")
    assert answer.code == 2
    assert "There is no decoding 'argmx'" in answer.err
    assert "All scores: decoding offsets" in cli("compare", str(run.path)).out


def test_the_report_shows_them(run):
    tiles = write._tiles(run, "test")
    logits = np.asarray(run.network(np.stack([tile.image for tile in tiles]).astype(np.float32) / 255))
    expected = (logits + np.float32(OFFSETS))[..., 1:].argmax(axis=-1) + 1
    assert (np.stack([tile.prediction for tile in tiles]) != expected).mean() < 0.01
    facts = {"title": "run", "metrics": run.metrics, "class_names": NAMES, "ignore_classes": (0,), "figures": []}
    page = write.render_page(**facts, plan="", environment={}, decoding=run.decoding.describe(NAMES))
    assert (
        "chosen on the validation subset: offsets bedrock -1.5, big_rock +2; with argmax, the test subset has" in page
    )


class TestTheFile:
    def test_is_read(self, folder):
        assert decoding_of([folder], "run") == Decoding(OFFSETS)
        assert decoding_of([folder], "argmax") == ARGMAX

    def test_of_an_older_run_does_not_exist(self):
        assert decoding_of([RunFolder.open(FROZEN / "finished")], "run") == ARGMAX

    def test_must_be_there_if_the_scores_used_it(self, folder):
        folder.decoding.unlink()
        with pytest.raises(RequestError, match=r"decoding\.json is missing"):
            decoding_of([folder], "run")
        assert decoding_of([folder], "argmax") == ARGMAX

    def test_must_be_as_the_run_wrote_it(self, folder):
        folder.decoding.write_text(folder.decoding.read_text().replace("2.0", "3.0"))
        with pytest.raises(RequestError, match=r"decoding\.json: not as the run wrote it"):
            decoding_of([folder], "run")

    def test_must_fit_the_classes(self, folder):
        content = folder.read_json(folder.decoding)
        del content["offsets"]["soil"]
        folder.write_json(folder.decoding, content)
        with pytest.raises(RequestError, match="the offsets are of background, bedrock, sand, big_rock; the classes"):
            decoding_of([folder], "run")

    def test_of_another_network_is_not_used(self, folder, caplog):
        folder.write_bytes(folder.network, b"a better one")
        assert decoding_of([folder], "run") == ARGMAX
        assert "chosen for another network" in caplog.text


def test_a_plan_decodes_by_argmax_unless_it_says_otherwise():
    assert marsseg.plan(decoding="offsets").training.decoding == "offsets"
    assert marsseg.plan().training.decoding == "argmax"


def test_a_run_with_tta_is_scored_and_predicts_with_flips(data, tmp_path, monkeypatch):
    flipped = marsseg.run(arch="unet:width=0.125:depth=1", data=data, epochs=1, tta=True, out=tmp_path / "flipped")
    for module in (ensemble, scoring):
        monkeypatch.setattr(module, "load", lambda path, session: flipped.network)
    ours, with_flips, without = (
        marsseg.evaluate(flipped, data, subset="test", **words) for words in ({}, {"tta": True}, {"tta": False})
    )
    assert flipped.metrics["subsets"]["test"] == ours.to_json() == with_flips.to_json() != without.to_json()
    image = data.images[:1]
    ours, with_flips, without = (
        next(marsseg.predict(flipped, image, probabilities=True, **words))
        for words in ({}, {"tta": True}, {"tta": False})
    )
    assert (ours == with_flips).all()
    assert (ours != without).any()


def test_a_run_decodes_with_the_areas_that_its_network_expects(data, tmp_path, monkeypatch):
    out = tmp_path / "run"
    words = {"arch": "unet:width=0.125:depth=1:momentum=0.5", "epochs": 2, "learning_rate": 0.01}
    run = marsseg.run(data=data, decoding="shares", keep="last", out=out, **words)
    content = json.loads((out / "decoding.json").read_text())
    assert content["images"] == len(run.split["validation"])
    assert sum(content["shares"].values()) == pytest.approx(1, abs=1e-4)
    assert run.metrics["decoding"] == "shares"
    assert set(run.metrics["argmax"]) == {"validation", "test"}
    assert "decoding: offsets" in (out / "log.txt").read_text()
    images = data.images[run.split["validation"]]
    monkeypatch.setattr(ensemble, "load", lambda path, session: run.network)
    labels = np.stack(list(marsseg.predict(run, images)))
    assert np.bincount(labels.ravel(), minlength=5)[1:] / labels.size == pytest.approx(
        list(content["shares"].values()), abs=0.01
    )
    page = write.render_page(
        title="run",
        metrics=run.metrics,
        class_names=NAMES,
        ignore_classes=(0,),
        figures=[],
        plan="",
        environment={},
        decoding=run.decoding.describe(NAMES),
    )
    assert "the saved network is that of epoch 2, the last." in page
    assert "scored after each epoch" in page
    assert "to give each class the area that the network expects: offsets" in page


def test_images_without_labels_show_the_areas_too(data, tmp_path, monkeypatch):
    monkeypatch.setattr(chosen_decoding, "_MOST_UNLABELLED", 4)  # of 10, every third
    method = {"semi": "mean_teacher", "unlabelled": "synthetic:first=24:count=10:height=16:width=16"}
    run = marsseg.run(
        arch="unet:width=0.125:depth=1", data=data, epochs=1, decoding="shares", out=tmp_path / "run", **method
    )
    content = json.loads((run.path / "decoding.json").read_text())
    assert content["images"] == len(run.split["validation"]) + 4


def test_images_of_the_training_subset_do_not_show_the_areas(data, tmp_path):
    """The network has learned their labels, so their areas are not those that it expects of new images."""
    words = {"semi": "mean_teacher", "unlabelled": "training", "decoding": "shares"}
    run = marsseg.run(arch="unet:width=0.125:depth=1", data=data, epochs=1, out=tmp_path / "run", **words)
    assert json.loads((run.path / "decoding.json").read_text())["images"] == len(run.split["validation"])
