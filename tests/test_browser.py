"""Pages in a browser: no errors, no wider than a phone, dark where the reader wants it, and readable for all."""

from __future__ import annotations

import shutil
from functools import cache

import numpy as np
import pytest
from helpers.browser import needs_browser, shown
from helpers.paths import FROZEN

from marsseg_core.evaluation.confusion import Confusion
from marsseg_core.evaluation.decoding import ARGMAX
from marsseg_core.experiments.board import read_board
from marsseg_core.experiments.comparison import compare_runs
from marsseg_core.experiments.resumption import read_series
from marsseg_core.figures.board import board_page
from marsseg_core.figures.comparison_page import comparison_page
from marsseg_core.figures.matrix import confusion_figure
from marsseg_core.figures.series_page import write_series_page
from marsseg_core.inference.score_page import scores_page
from marsseg_core.inference.scoring import Score
from marsseg_core.planning.metrics import metric_table
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


@pytest.fixture(scope="module")
def series(tmp_path_factory):
    folder = shutil.copytree(FROZEN / "series", tmp_path_factory.mktemp("series") / "seeds")
    (folder / "seed-0" / "report.html").touch()
    return write_series_page(read_series(folder), metric_table())


@pytest.fixture(scope="module")
def comparison(series):
    path = series.parent.parent / "comparison.html"
    path.write_text(comparison_page(compare_runs([series.parent]), path.parent), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def scores(tmp_path_factory):
    path = tmp_path_factory.mktemp("scores") / "scores.html"
    confusion = Confusion(NAMES, (0,))
    confusion.update(np.full((2, 4, 4), 1), np.eye(3)[np.random.default_rng(0).integers(1, 3, (2, 4, 4))])
    titles = ("a-photograph-with-a-long-name-that-has-no-place-to-break-in-it.png", "another.png")
    each = [
        Score(name, "data", "test", confusion, metric_table(), ARGMAX, tta=False, titles=titles)
        for name in ("a-run-with-a-long-name-that-has-no-place-to-break-in-it", "other")
    ]
    path.write_text(scores_page(each), encoding="utf-8")
    return path


@pytest.fixture(params=["report", "board", "series", "comparison", "scores"])
def page(request):
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="module")
def look(tmp_path_factory):
    """Return `shown`, which looks at a page in a window of one width once for all tests."""
    folder = tmp_path_factory.mktemp("looks")
    return cache(lambda page, width=1280, dark=False: shown(page, folder, width=width, dark=dark))


@pytest.mark.parametrize("width", [1280, 400])
def test_a_page_shows_no_error_and_fits_the_window(page, look, width):
    seen = look(page, width)
    assert seen.messages == []
    assert seen.overflow == 0
    assert seen.problems == {}


def test_a_page_is_dark_where_the_reader_wants_it(page, look):
    assert look(page, 1280).background == "rgb(255, 255, 255)"
    red, green, blue = map(int, look(page, 1280, dark=True).background[4:-1].split(","))
    assert max(red, green, blue) < 64


@pytest.mark.parametrize(
    ("page", "words"),
    [
        ("board", ["2 of 2 runs", "second"]),
        ("series", ["2 of 2 seeds finished", "0.1768 ± 0.1036", "seed-0", "bedrock", "Reports"]),
        ("comparison", ["Comparison by test miou", "to the best", "bedrock", "seeds/seed-0"]),
        ("scores", ["another.png", "wrong pixels", "soil"]),
    ],
    indirect=["page"],
)
def test_a_page_has_what_the_reader_looks_for(page, words, look):
    text = look(page, 1280).text
    assert [word for word in words if word not in text] == []


@pytest.mark.parametrize("page", ["board", "series", "comparison"], indirect=True)
def test_the_reader_chooses_which_curves_are_laid_over_each_other(page, look):
    seen = look(page, 400)
    assert seen.drawn == ["val_miou by epoch: 2 lines"]
    assert "learning_rate" in seen.text


def test_what_these_tests_look_for_is_found(tmp_path):
    (tmp_path / "bad.html").write_text(
        '<div style="width: 2000px; color: #999">wide</div>'
        '<p style="overflow: auto"><b style="display: block; width: 9000px">far</b></p>'
        '<input><img><p id="a"></p><p id="a"></p><script>missing()</script>'
    )
    seen = shown(tmp_path / "bad.html", tmp_path, width=400)
    assert seen.overflow > 1000
    unreadable = {"unnamed": 1, "undescribed": 1, "unreachable": 1, "repeated": ["a"], "pale": ["wide: 2.85"]}
    assert seen.problems == unreadable | {"language": ""}
    assert "missing is not defined" in seen.messages[0]
