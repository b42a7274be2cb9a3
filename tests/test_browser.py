"""Pages in a browser: no errors, no wider than a phone, dark where the reader wants it, and readable for all."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from helpers.browser import needs_browser, shown
from helpers.paths import FROZEN

from marsseg_core.experiments.board import read_board
from marsseg_core.figures.board import board_page
from marsseg_core.figures.matrix import confusion_figure
from marsseg_plugins.observers.report.page import PageFigure, render_page

pytestmark = [needs_browser, pytest.mark.slow]

NAMES = ("background", "soil", "big_rock")


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    confusion_figure(np.eye(3, dtype=int) * 1000, NAMES, folder / "matrix.png", ignore_classes=(0,))
    scores = {"miou": 0.61, "accuracy": 0.8, "iou": {"soil": 0.9}, "support": {"soil": 12345}, "images": 30}
    page = render_page(
        title="a-run-with-a-long-name-that-has-no-place-to-break-in-it",
        metrics={
            "status": "finished",
            "best_epoch": 7,
            "epochs": 10,
            "subsets": {"validation": scores, "test": scores},
        },
        class_names=NAMES,
        ignore_classes=(0,),
        figures=[PageFigure("Confusion matrix", "Pixels.", folder / "matrix.png")],
        plan='arch = "unet"\n' + "data.path = " + "a/long/path" * 12,
        environment={"command": ["marsseg", "run", "--data", "/a/long/path" * 12], "devices": ["cpu:0"]},
        header=[("plan", "arch=unet"), ("network", "5 parameters")],
    )
    (folder / "report.html").write_text(page, encoding="utf-8")
    return folder / "report.html"


@pytest.fixture(scope="module")
def board(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    for name in ("first run", "second"):
        shutil.copytree(FROZEN / "finished", folder / name)
    (folder / "board.html").write_text(board_page(read_board(folder)), encoding="utf-8")
    return folder / "board.html"


@pytest.fixture(params=["report", "board"])
def page(request):
    return request.getfixturevalue(request.param)


@pytest.mark.parametrize("width", [1280, 400])
def test_a_page_shows_no_error_and_fits_the_window(page, tmp_path, width):
    seen = shown(page, tmp_path, width=width)
    assert seen.messages == []
    assert seen.overflow == 0
    assert seen.problems == {}


def test_a_page_is_dark_where_the_reader_wants_it(page, tmp_path):
    assert shown(page, tmp_path).background == "rgb(255, 255, 255)"
    red, green, blue = map(int, shown(page, tmp_path, dark=True).background[4:-1].split(","))
    assert max(red, green, blue) < 64


def test_the_board_lists_and_chooses_the_runs(board, tmp_path):
    text = shown(board, tmp_path).text
    assert "2 of 2 runs" in text
    assert "second" in text


def test_what_these_tests_look_for_is_found(tmp_path):
    (tmp_path / "bad.html").write_text(
        '<div style="width: 2000px">wide</div><input><img><p id="a"></p><p id="a"></p><script>missing()</script>'
    )
    seen = shown(tmp_path / "bad.html", tmp_path, width=400)
    assert seen.overflow > 1000
    assert seen.problems == {"unnamed": 1, "undescribed": 1, "repeated": ["a"], "language": ""}
    assert "missing is not defined" in seen.messages[0]
