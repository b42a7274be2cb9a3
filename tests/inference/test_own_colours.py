"""The colours that a data set has for its classes are those of everything that shows its classes."""

from __future__ import annotations

import json
from zipfile import ZipFile

import numpy as np
import pytest
from PIL import Image

import marsseg
from marsseg_core.files.run_folder import RunFolder

COLOURS = ((0, 0, 0), (180, 120, 60), (90, 90, 200))
CODES = ("#b4783c", "#5a5ac8")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    drawn = np.random.default_rng(0)
    images = drawn.integers(0, 256, (12, 16, 32, 1), np.uint8)
    data = marsseg.SegmentationData(
        images, (images[..., 0] > 99).astype(np.uint8) + 1, ("sky", "rock", "dust"), (0,), class_colours=COLOURS
    )
    out = tmp_path_factory.mktemp("own") / "run"
    return marsseg.run(arch="unet:width=0.125:depth=2", loss="ssce", data=data, epochs=1, out=out)


def test_a_run_records_them(run):
    assert RunFolder(run.path).class_colours() == COLOURS


def test_its_report_has_them(run):
    page = run.folder.report.read_text()
    assert all(code in page for code in CODES)


def test_predictions_have_them(run, cli, tmp_path):
    Image.fromarray(run.data.images[0, ..., 0]).save(tmp_path / "new.png")
    answer = cli("predict", str(run.path), "new.png", "--out", "out", "--overlay")
    assert answer.code == 0, answer.err
    assert "not known" not in answer.err
    with Image.open(tmp_path / "out" / "masks" / "new.png") as mask:
        shown = np.array(mask.convert("RGB")).reshape(-1, 3)
    assert set(map(tuple, shown.tolist())) <= set(COLOURS)
    classes = json.loads((tmp_path / "out" / "classes.json").read_text())["classes"]
    assert [each["colour"] for each in classes] == ["#000000", *CODES]


def test_a_pack_has_them(run, cli, tmp_path):
    answer = cli("pack", str(run.path), "--out", "net.zip")
    assert answer.code == 0, answer.err
    with ZipFile(tmp_path / "net.zip") as pack:
        classes = json.loads(pack.read("pack.json"))["classes"]
    assert [each["colour"] for each in classes] == ["#000000", *CODES]
