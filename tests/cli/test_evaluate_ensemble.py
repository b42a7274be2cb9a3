"""`marsseg evaluate --ensemble`: the score of the mean of the probabilities of several runs."""

from __future__ import annotations

import json

import numpy as np
import pytest

import marsseg_core as marsseg
from marsseg_core.errors import RequestError
from marsseg_core.files.run_folder import RunFolder

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
