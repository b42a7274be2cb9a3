"""Pages in a browser: no errors, no wider than a phone, dark where the reader wants it, and readable for all."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from functools import cache
from itertools import product
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from helpers.browser import needs_browser, shown
from helpers.paths import FROZEN

from marsseg_core.data.arrays import SegmentationData
from marsseg_core.data.inspection import inspect
from marsseg_core.data.split_options import SplitOptions
from marsseg_core.evaluation.confusion import Confusion
from marsseg_core.evaluation.decoding import ARGMAX
from marsseg_core.experiments.ablation import AblationRun, Factor, analyse
from marsseg_core.experiments.board import read_board
from marsseg_core.experiments.comparison import compare_runs
from marsseg_core.experiments.resumption import read_series
from marsseg_core.figures.ablation import ablation_figure
from marsseg_core.figures.board import board_page
from marsseg_core.figures.comparison_page import comparison_page
from marsseg_core.figures.inspection import inspection_page
from marsseg_core.figures.matrix import confusion_figure
from marsseg_core.figures.results import Curves, Line, Section, results_page
from marsseg_core.figures.series_page import write_series_page
from marsseg_core.inference.score_page import scores_page
from marsseg_core.inference.scoring import Score
from marsseg_core.planning.metrics import metric_table
from marsseg_core.runs.records import Record
from marsseg_core.sweeps.ablation import _page as ablation_page
from marsseg_core.sweeps.page import _page as sweep_page
from marsseg_core.sweeps.summary import Summary, TrialRecord
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


@pytest.fixture(scope="module")
def sweep(tmp_path_factory):
    optuna = pytest.importorskip("optuna")
    space = {"training.learning_rate": optuna.distributions.FloatDistribution(1e-4, 1e-2, log=True)}
    space["loss"] = optuna.distributions.CategoricalDistribution(["dice", "wssce"])
    settings = [
        {"training.learning_rate": (number + 1) * 1e-3, "loss": ("dice", "wssce")[number % 2]} for number in range(4)
    ]
    study = optuna.create_study(direction="maximize")
    for number, params in enumerate(settings):
        study.add_trial(optuna.trial.create_trial(params=params, distributions=space, value=0.5 + number / 10))
    trials = [
        TrialRecord(number, "finished", {name: str(value) for name, value in params.items()}, 0.5 + number / 10)
        for number, params in enumerate(settings)
    ]
    folder = SimpleNamespace(
        path=Path("a-sweep-with-a-long-name-that-has-no-place-to-break-in-it"), best=Path("best.toml")
    )
    request = SimpleNamespace(options=SimpleNamespace(pruner="none"))
    path = tmp_path_factory.mktemp("sweep") / "sweep.html"
    page = sweep_page(
        SimpleNamespace(folder=folder, study=study, request=request), Summary("finished", "miou", True, trials)
    )
    path.write_text(page, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def ablation(tmp_path_factory):
    factors = [Factor("loss", ("wssce", "dice")), Factor("arch", ("unet", "dense"))]
    runs = []
    for position, (loss, arch, seed) in enumerate(product(*(factor.choices for factor in factors), "012")):
        scores = {"test": {"miou": 0.5 + position**2 / 1000}}
        record = Record(Path("run"), {}, seed, "none", "finished", scores, {}, "", ("soil",), (), {"test": (1, 2)})
        runs.append(AblationRun({"loss": loss, "arch": arch}, record))
    missing = [(Path("trial-0012"), "The run failed.")]
    analysed = analyse(runs, factors, "miou", "test", rises=True, missing=missing)
    folder = tmp_path_factory.mktemp("ablation")
    ablation_figure(analysed, folder / "ablation.png")
    of = SimpleNamespace(
        folder=SimpleNamespace(path=folder), summary=lambda status: SimpleNamespace(text="12 of 13 trials finished")
    )
    (folder / "ablation.html").write_text(ablation_page(of, analysed, folder / "ablation.png"), encoding="utf-8")
    return folder / "ablation.html"


@pytest.fixture(scope="module")
def inspection(tmp_path_factory):
    """The page of `data inspect`, on data with copies, an empty mask and one class in a whole image."""
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (12, 32, 48, 1), np.uint8)
    masks = random.integers(1, 3, (12, 4, 6), np.uint8).repeat(8, axis=1).repeat(8, axis=2)
    images[1], masks[2], masks[3] = images[0], 255, 1
    names = [f"a-photograph-with-a-long-name-that-has-no-place-to-break-in-it-{item}.png" for item in range(12)]
    data = SegmentationData(images, masks, NAMES, (0,), source="made", names=names)
    path = tmp_path_factory.mktemp("inspection") / "inspection.html"
    path.write_text(inspection_page(inspect(data, None, SplitOptions()), data, None), encoding="utf-8")
    return path


@pytest.fixture(params=["report", "board", "series", "comparison", "scores", "ablation", "inspection"])
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
        ("ablation", ["Effects", "dice", "trial-0012"]),
        ("inspection", ["Nothing labelled", "big_rock"]),
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


def test_the_page_of_a_sweep_can_be_read_on_a_phone_in_the_dark(sweep, look):
    """Its plots bring four megabytes of script, so it is looked at once."""
    seen = look(sweep, 400, dark=True)
    assert (seen.messages, seen.overflow, seen.problems) == ([], 0, {})
    assert max(map(int, seen.background[4:-1].split(","))) < 64
    assert [words for words in ("trial-0003", "One setting at a time") if words not in seen.text] == []


def changed(page, folder, script):
    """Return the path of a page on which a reader has done something, as a script."""
    text = page.read_text(encoding="utf-8").replace("</body>", f"<script>{script}</script></body>")
    (folder / page.name).write_text(text, encoding="utf-8")
    return folder / page.name


def test_a_figure_of_a_report_is_enlarged_where_the_reader_wants_it(report, tmp_path):
    width = "document.body.append(`${document.querySelector('figure img').clientWidth} pixels wide`);"
    enlarge = "document.querySelector('figure input').click();"
    fits, full = (shown(changed(report, tmp_path, script), tmp_path, width=400) for script in (width, enlarge + width))
    assert int(re.search(r"(\d+) pixels wide", fits.text)[1]) < 400
    assert "960 pixels wide" in full.text
    assert (full.overflow, full.problems) == (0, {})


def test_a_learning_rate_that_was_halved_has_a_logarithmic_axis(tmp_path):
    history = [{"epoch": 1.0, "learning_rate": 1e-3}, {"epoch": 2.0, "learning_rate": 5e-4}]
    (tmp_path / "rate.html").write_text(
        results_page("", [], [Section("", [Curves([Line("run", "run", history)])])]), encoding="utf-8"
    )
    assert "logarithmic scale" in shown(tmp_path / "rate.html", tmp_path).text


def test_all_runs_of_a_board_are_unticked_at_once(board, tmp_path):
    script = "document.getElementById('none').click();"
    seen = shown(changed(board, tmp_path, script), tmp_path, width=400)
    assert "No run is chosen." in seen.text
    assert seen.drawn == ["val_miou by epoch: 0 lines"]
    assert (seen.messages, seen.problems) == ([], {})


def test_a_board_draws_no_more_curves_than_can_be_told_apart(board, tmp_path):
    read = read_board(board.parent)
    (tmp_path / "many.html").write_text(board_page(replace(read, runs=read.runs * 25)), encoding="utf-8")
    script = "for (const box of document.querySelectorAll('#rows input:not(:checked)')) box.click();"
    seen = shown(changed(tmp_path / "many.html", tmp_path, script), tmp_path, width=400)
    assert seen.drawn == ["val_miou by epoch: 40 lines"]
    assert "50 runs are chosen; the first 40 are shown." in seen.text
    assert (seen.overflow, seen.messages, seen.problems) == (0, [], {})


def test_what_these_tests_look_for_is_found(tmp_path):
    (tmp_path / "bad.html").write_text(
        '<div style="width: 2000px; color: #999">wide</div>'
        '<p style="overflow: auto"><b style="display: block; width: 9000px">far</b></p>'
        '<input><img><p id="a"></p><p id="a"></p><script>missing()</script>'
        '<svg style="display: block; color: #000"><text y="20" fill="#999">drawn</text></svg>'
    )
    seen = shown(tmp_path / "bad.html", tmp_path, width=400)
    assert seen.overflow > 1000
    unreadable = {"unnamed": 1, "undescribed": 1, "unreachable": 1, "repeated": ["a"]}
    assert seen.problems == unreadable | {"pale": ["wide: 2.85", "drawn: 2.85"], "language": ""}
    assert "missing is not defined" in seen.messages[0]
