"""A prediction by workers equals that of one process, byte for byte."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from helpers.executors import InThisProcess, Killing
from helpers.paths import FROZEN
from PIL import Image

from marsseg_core.errors import RequestError
from marsseg_core.inference.outputs import Outputs
from marsseg_core.inference.prediction import Summary, predict_source
from marsseg_core.inference.request import Prediction, PredictionRequest
from marsseg_core.inference.spread import SpreadPrediction
from marsseg_core.inference.submission import new_submission

RUN = FROZEN / "finished"


@pytest.fixture
def images(tmp_path):
    """A folder of 11 images of up to the network's size, two larger ones between them, and one that is no image."""
    folder = tmp_path / "images"
    (folder / "sub").mkdir(parents=True)
    generator = np.random.default_rng(0)
    for number in range(13):
        size = (70, 90) if number in (4, 9) else (16 - number % 3, 32)
        Image.fromarray(generator.integers(0, 256, size, np.uint8)).save(folder / "sub" / f"{number:02}.png")
    (folder / "broken.png").write_bytes(b"no image")
    return folder


def tree(folder: Path):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def predict(source, out, executor=None, jobs=2, submission=None, **options):
    """The files and the summary of a prediction, in this process or by an executor."""
    prediction = Prediction(PredictionRequest((str(RUN),), str(source), **options))
    wanted = prediction.request
    outputs = Outputs(out, prediction.classes, overlays=wanted.overlay, probabilities=wanted.probabilities)
    summary = Summary.empty(len(prediction.classes.names))
    words = {"outputs": outputs, "submission": submission, "summary": summary, "progress": lambda done: None}
    if executor is None:
        ignored, decoding = prediction.ignore_classes, prediction.decoding
        predict_source(prediction.images, prediction.predictor, ignore_classes=ignored, decoding=decoding, **words)
    else:
        SpreadPrediction(prediction, out, **words).run(executor, jobs)
    facts = (summary.pixels.tolist(), summary.images.tolist(), summary.count, summary.unreadable)
    return tree(out), facts


ALL = {"overlay": True, "probabilities": True}


@pytest.mark.parametrize(
    ("jobs", "options"),
    [(1, {"batch": 2}), (2, {}), (3, {"batch": 2, "tta": True, "tile_overlap": 0.6})],
)
def test_files_and_counts_are_those_of_one_process(images, tmp_path, jobs, options):
    expected = predict(images, tmp_path / "one", **ALL, **options)
    executor = InThisProcess(jobs)
    assert predict(images, tmp_path / "many", executor, jobs, **ALL, **options) == expected
    assert expected[1][2:] == (13, ["broken"])
    assert not [*tmp_path.glob(".*")]
    rows = [task for task in executor.done if "part" in task.arguments]
    assert len({task.arguments["position"] for task in rows}) == (0 if jobs == 1 else 2)
    assert len(rows) == (0 if jobs == 1 else 4 * jobs)


def test_a_submission_has_the_rows_of_one_process(tmp_path):
    for name, executor in (("one", None), ("many", InThisProcess())):
        with new_submission(tmp_path / f"{name}.csv") as rows:
            predict("synthetic:count=7:height=16:width=32", tmp_path / name, executor, submission=rows, batch=2)
    assert (tmp_path / "many.csv").read_bytes() == (tmp_path / "one.csv").read_bytes()


def test_a_single_image_that_cannot_be_read_leaves_nothing(images, tmp_path):
    with pytest.raises(RequestError, match="broken"):
        predict(images / "broken.png", tmp_path / "out", InThisProcess())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["images"]


@pytest.mark.slow
def test_a_worker_that_is_killed_is_replaced(images, tmp_path):
    expected = predict(images, tmp_path / "one", batch=1, **ALL)
    executor = Killing()
    assert predict(images, tmp_path / "many", executor, batch=1, **ALL) == expected
    assert len(executor.lost) == 1


@pytest.mark.slow
def test_the_command_spreads_its_images(cli, images, tmp_path):
    one = cli("predict", str(RUN), str(images), "--out", "one")
    many = cli("predict", str(RUN), str(images), "--out", "many", "--jobs", "1")
    assert (one.code, many.code) == (1, 1)  # one image is broken
    assert many.out.replace("many", "one") == one.out
    assert tree(tmp_path / "many") == tree(tmp_path / "one")
