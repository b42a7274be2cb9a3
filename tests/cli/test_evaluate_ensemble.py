"""`marsseg evaluate --ensemble`: the score of the mean of the probabilities of several runs."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import marsseg_core as marsseg
from marsseg_core.errors import RequestError
from marsseg_core.files.run_folder import RunFolder
from marsseg_core.runs.other_data import TrainingImages

pytestmark = pytest.mark.usefixtures("without_reports")

DATA = "synthetic:count=24:height=16:width=32"
WORDS = {"arch": "unet:width=0.125:depth=2:convolutions=1", "bottleneck": "none", "batch": 5, "epochs": 1}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("ensemble")


@pytest.fixture(scope="module")
def runs(folder):
    """Train two tiny networks on one split, and return their run folders."""
    return [
        str(marsseg.run(**WORDS, data=DATA, seed=seed, learning_rate=0.01, out=folder / f"seed-{seed}").path)
        for seed in (0, 1)
    ]


@pytest.fixture(scope="module")
def other_split(folder):
    """Train one on another split of the same data."""
    return str(marsseg.run(**WORDS, data=DATA, overrides=["split.seed=5"], out=folder / "other-split").path)


def expected(runs, subset, tta=False):
    """Return the mean IoU of the labels that `marsseg predict` gives the images of a subset."""
    data = marsseg.dataset("synthetic", count=24, height=16, width=32)
    items = json.loads((RunFolder.open(runs[0]).split).read_text())[subset]
    labels = np.stack(list(marsseg.predict(runs, data.images[items], tta=tta)))
    masks = data.masks[items]
    counted = [c for c in range(len(data.class_names)) if c not in data.ignore_classes]
    known = np.isin(masks, counted)
    unions = [np.sum(((labels == c) | (masks == c)) & known) for c in counted]
    hits = [np.sum((labels == c) & (masks == c)) for c in counted]
    return np.mean([hit / union for hit, union in zip(hits, unions, strict=True) if union])


@pytest.mark.parametrize("subset", ["test", "validation"])
def test_it_is_the_score_of_what_predict_predicts(runs, subset):
    assert marsseg.evaluate(runs, subset=subset).miou == pytest.approx(expected(runs, subset), abs=1e-12)


def test_flips_are_those_that_are_asked_for(runs):
    assert marsseg.evaluate(runs, tta=True).miou == pytest.approx(expected(runs, "test", tta=True), abs=1e-12)


def test_one_run_twice_scores_as_the_run(runs):
    assert marsseg.evaluate([runs[0], runs[0]]).to_json() == marsseg.evaluate(runs[0]).to_json()


def test_a_list_of_one_is_the_run(runs):
    assert marsseg.evaluate([runs[0]]).to_json() == marsseg.evaluate(runs[0]).to_json()


def test_it_is_a_column_beside_the_runs(cli, runs):
    answer = cli("evaluate", *runs, "--ensemble", "--interval", "--html", "page.html")
    assert answer.code == 0, answer.err
    header, *rows = (row.split("\t") for row in answer.out.split("\n\n")[0].splitlines())
    assert header[1::2] == [*runs, "ensemble"]
    miou = next(row for row in rows if row[0] == "miou")
    assert miou[5] == f"{marsseg.evaluate(runs).miou:.4f}"
    assert "ensemble: test of synthetic" in answer.out


def test_the_json_names_its_runs(cli, runs):
    scores = json.loads(cli("evaluate", *runs, "--ensemble", "--json").out)["scores"]
    assert [(score["run"], score.get("ensemble")) for score in scores] == [
        (runs[0], None),
        (runs[1], None),
        ("ensemble", runs),
    ]


def test_a_pack_is_its_runs(cli, runs, tmp_path):
    assert cli("pack", *runs, "--out", "both.zip").code == 0
    scores = json.loads(cli("evaluate", "both.zip", "--ensemble", "--json").out)["scores"]
    assert len(scores) == 3
    assert scores[2]["miou"] == marsseg.evaluate(runs).miou == marsseg.evaluate([tmp_path / "both.zip"]).miou


def test_a_series_of_folds_is_scored_together_on_other_images_only(cli, folder):
    series = str(marsseg.series(folds=2, **WORDS, data=DATA, out=folder / "folds").path)
    answer = cli("evaluate", series, "--ensemble")
    assert (answer.code, "--data PATH" in answer.err) == (2, True)
    answer = cli("evaluate", series, "--ensemble", "--data", f"{DATA}:first=100", "--json")
    assert answer.code == 0, answer.err
    names = [score["run"] for score in json.loads(answer.out)["scores"]]
    assert names == [f"{series}/fold-1", f"{series}/fold-2", "ensemble"]


def test_training_images_of_any_run_count(cli, runs, other_split):
    answer = cli("evaluate", runs[0], other_split, "--ensemble", "--data", DATA)
    train = [set(RunFolder.open(run).read_split()["train"]) for run in (runs[0], other_split)]
    assert answer.code == 0, answer.err
    assert f"({len(train[0] | train[1])} of 24 images are training images of its runs)" in answer.out


def test_training_images_without_labels_of_one_run_may_have_labels_in_another():
    one = TrainingImages(frozenset({1, 2}), frozenset({3}), of=9, by_name=False)
    other = TrainingImages(frozenset({3}), frozenset({2, 5}), of=9, by_name=False)
    both = TrainingImages.of_any([one, None, other])
    assert str(both) == "4 of 9 images are training images of its runs, 1 of them without labels"
    assert TrainingImages.of_any([None, None]) is None


def test_offsets_are_the_mean_of_those_of_the_runs(cli, runs, tmp_path):
    copies = [str(shutil.copytree(run, tmp_path / name)) for run, name in zip(runs, "ab", strict=True)]
    folder = RunFolder(Path(copies[0]))
    names, _ = folder.classes()
    offsets = {name: 2.0 * (name == "big_rock") for name in names}
    folder.decoding.write_text(json.dumps({"offsets": offsets, "network": folder.network_hash()}))
    (folder.path / "manifest.json").unlink()
    score = json.loads(cli("evaluate", *copies, "--ensemble", "--json").out)["scores"][2]
    assert score["decoding"] == "offsets big_rock +1"
    assert score["miou"] == pytest.approx(expected(copies, "test"), abs=1e-12)
    assert score["miou"] != marsseg.evaluate(runs).miou


def test_images_are_read_as_the_run_read_its_own_that_scaled_them(runs, folder):
    data = marsseg.dataset("synthetic", count=24, height=16, width=32)
    np.savez(folder / "bits.npz", images=data.images[..., 0].astype(np.uint16) * 64, masks=data.masks)
    bits = f"npz:path={folder / 'bits.npz'}"
    scaled = str(marsseg.run(**WORDS, data=f"{bits}:range=bits", out=folder / "scaled").path)
    either = [marsseg.evaluate(order, bits).miou for order in ([runs[0], scaled], [scaled, runs[0]])]
    assert either[0] == either[1]


def test_runs_with_other_channels_are_refused(runs, folder):
    data = marsseg.dataset("synthetic", count=24, height=16, width=32)
    np.savez(folder / "colour.npz", images=np.repeat(data.images, 3, axis=-1), masks=data.masks)
    colour = str(marsseg.run(**WORDS, data=str(folder / "colour.npz"), out=folder / "colour-run").path)
    with pytest.raises(RequestError, match="colour-run takes images with 3"):
        marsseg.evaluate([runs[0], colour], "synthetic:count=4:height=16:width=32")


def test_runs_with_other_test_images_are_refused(cli, runs, other_split):
    answer = cli("evaluate", runs[0], other_split, "--ensemble")
    assert answer.code == 2
    text = " ".join(answer.err.split())
    assert "The test subsets of" in text
    assert "may be a training image of the other" in text
    with pytest.raises(RequestError, match="The test subsets of"):
        marsseg.evaluate([runs[0], other_split])
    assert cli("evaluate", runs[0], other_split, "--ensemble", "--subset", "all").code == 0


def test_runs_on_other_data_are_refused(cli, runs, folder):
    other = marsseg.run(**WORDS, data=DATA.replace("24", "30"), out=folder / "other-data").path
    answer = cli("evaluate", runs[0], str(other), "--ensemble", "--subset", "all")
    assert (answer.code, "The data of" in answer.err) == (2, True)


def test_one_run_is_no_ensemble(cli, runs):
    answer = cli("evaluate", runs[0], "--ensemble")
    assert (answer.code, "An ensemble needs several runs" in answer.err) == (2, True)


def test_no_run_is_refused():
    with pytest.raises(RequestError, match="A run folder is needed"):
        marsseg.evaluate([])
