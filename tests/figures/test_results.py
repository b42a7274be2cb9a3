"""Pages of results: series, comparisons and scores are made of the same parts."""

from __future__ import annotations

import json
import re
import shutil

import pytest
from helpers.paths import FROZEN
from markupsafe import Markup

import marsseg_core.api  # noqa: F401, it shows results in notebooks
from marsseg_core.cli.series import print_result
from marsseg_core.experiments.resumption import read_series
from marsseg_core.experiments.summary import Spread
from marsseg_core.experiments.text_table import TextTable
from marsseg_core.figures.results import Bar, Curves, Line, Links, Section, class_bars, results_page
from marsseg_core.figures.series_page import write_series_page
from marsseg_core.planning.metrics import metric_table


@pytest.fixture
def series(tmp_path):
    return shutil.copytree(FROZEN / "series", tmp_path / "seeds")


def lines_of(page: str) -> list[dict]:
    return json.loads(re.search(r'id="lines">(.*?)</script>', page)[1])["lines"]


def test_texts_are_shown_literally_and_sections_without_parts_are_left_out():
    parts = [TextTable(("<b>",), (("<i>",),)), Links([("<u>", "a run #1/report.html")]), Markup("<hr>")]
    page = results_page("<title>", ["<p>"], [Section("Full", parts), Section("Empty", [])])
    assert all(text in page for text in ("&lt;b&gt;", "&lt;i&gt;", "&lt;u&gt;", "<h1>&lt;title&gt;</h1>", "<hr>"))
    assert 'href="a%20run%20%231/report.html"' in page
    assert "Empty" not in page


def test_bars_show_mean_and_deviation_within_0_and_1():
    bar = Bar("run", Spread(0.9, 0.25, 3))
    assert (bar.width, bar.whisker, bar.text) == ("90.0", ("65.0", "35.0"), "0.9000 ± 0.2500")
    assert Bar("run", Spread(0.9, None, 1)).whisker is None


def test_bars_of_classes_leave_out_ignored_classes_and_undefined_scores():
    scores = [{"iou_soil": Spread(0.5, None, 1), "iou_sand": None}, {"iou_soil": Spread(0.25, None, 1)}]
    (bars,) = class_bars(["A", "B"], scores, ["background", "soil", "sand"], [0])
    assert [(each.name, [bar.label for bar in each.bars]) for each in bars.classes] == [("soil", ["A", "B"])]
    assert class_bars(["A"], [{}], ["soil"], []) == []


def test_curves_of_a_group_look_the_same_and_hold_no_values_that_are_not_finite():
    history = [{"epoch": 1.0, "loss": float("nan"), "seconds": 2.0}, {"epoch": 2.0, "loss": 0.123456789}]
    page = results_page("", [], [Section("", [Curves([Line(name, name[0], history) for name in ("A1", "A2", "B1")])])])
    assert [line["style"] for line in lines_of(page)] == [0, 0, 1]
    assert lines_of(page)[0]["curves"] == {"loss": [None, 0.12346]}


class TestSeries:
    def test_its_page_has_means_intervals_and_the_curves_of_each_run(self, series):
        (series / "seed-1" / "report.html").touch()
        page = write_series_page(read_series(series), metric_table()).read_text(encoding="utf-8")
        assert "0.1768 ± 0.1036" in page
        assert "0.0000 to 1.0000" in page  # what is possible of 0.1768 ± 12.7062 · 0.1036 / √2
        assert "-0.7540" not in page
        assert "Two runs hardly bound the mean" in page
        assert [line["name"] for line in lines_of(page)] == ["seed-0", "seed-1"]
        assert re.findall(r'href="(.*?)"', page) == ["seed-1/report.html"]

    def test_of_transductive_runs_says_so(self, series, capsys):
        print_result(read_series(series), metric_table())
        assert "Transductive" not in capsys.readouterr().out + repr(read_series(series))
        for name in ("seed-0", "seed-1"):
            metrics = json.loads((series / name / "metrics.json").read_text())
            (series / name / "metrics.json").write_text(json.dumps(metrics | {"transductive": True}))
        found = read_series(series)
        print_result(found, metric_table())
        page = (series / "series.html").read_text(encoding="utf-8")
        for text in (capsys.readouterr().out, page, repr(found), found._repr_html_()):
            assert "Transductive: all runs. Trained with images of the validation and test subsets" in text
        assert found.to_json()["transductive"] is True

    def test_a_run_without_its_files_costs_no_more_than_the_page(self, series, caplog):
        (series / "seed-0" / "split.json").unlink()
        assert write_series_page(read_series(series), metric_table()) is None
        assert "The page of the series is left out: split.json cannot be read" in caplog.text

    def test_a_series_without_a_finished_run_has_no_page(self, series):
        for name in ("seed-0", "seed-1"):
            (series / name / "metrics.json").unlink()
        assert write_series_page(read_series(series), metric_table()) is None
        assert not (series / "series.html").exists()
