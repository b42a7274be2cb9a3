"""The table of metrics: scores and their metrics, ranking, what is computed when, and metrics that fail."""

from __future__ import annotations

import math
import shutil
from dataclasses import dataclass

import numpy as np
import pytest
from helpers.messages import warned_of

import marsseg_core as marsseg
from marsseg_core import api
from marsseg_core.components.interfaces import Metric
from marsseg_core.errors import PluginError, RequestError
from marsseg_core.evaluation.confusion import Confusion
from marsseg_core.experiments import comparison
from marsseg_core.files.run_folder import RunFolder
from marsseg_core.planning.metrics import MetricTable, metric_table
from marsseg_core.planning.options import NoOptions
from marsseg_core.planning.resolved import ResolvedComponent
from marsseg_core.registry.catalog import installed
from marsseg_core.registry.entries import Entry
from marsseg_core.registry.kinds import METRIC
from marsseg_core.runs.metric_values import metric_values, scores_from_matrix

pytestmark = pytest.mark.usefixtures("without_reports")

CLASSES = ("ground", "soil", "rock")


@pytest.fixture
def table() -> MetricTable:
    return metric_table(installed())


@dataclass(frozen=True)
class Missed(Metric):
    """Missed: the share of the pixels of a class that are predicted as another class."""

    higher_is_better = False
    per_class = "missed"

    def value(self, counts, spec):
        return float(np.nanmean(self.values(counts, spec)[1:]))

    def values(self, counts, spec):
        with np.errstate(invalid="ignore"):
            return 1 - np.diagonal(counts) / counts.sum(1)


@dataclass(frozen=True)
class Broken(Metric):
    """Broken: it divides by zero, and its counting fails."""

    needs_predictions = False

    def count(self, mask, prediction, spec):
        return mask[99]

    def value(self, counts, spec):
        return 1 / 0


@dataclass(frozen=True)
class BrokenCount(Broken):
    """Broken count: it fails on each image."""

    needs_predictions = True


def chosen(metric) -> ResolvedComponent:
    name = type(metric).__name__.lower()
    return ResolvedComponent(
        Entry(METRIC, name, f"acme.{name}:{type(metric).__name__}", "acme", "1.0"), metric, NoOptions()
    )


def with_missed(table) -> MetricTable:
    return MetricTable({**table.resolved, "missed": chosen(Missed())})


def test_a_score_belongs_to_the_metric_of_its_name_or_of_its_class_word(table):
    scores = {
        "dice": "dice",
        "dice_soil": "dice",
        "iou_big_rock": "miou",
        "miou_all": "miou_all",
        "boundary_iou_soil": "boundary_iou",
        "boundary_f": "boundary_f",
    }
    assert {score: table.of(score).entry.name for score in scores} == scores
    assert table.of("dicey") is table.of("support") is None
    assert table.canonical("f1") == "dice"
    assert [table.spaced(name) for name in ("iou_big_rock", "miou_all")] == ["iou big_rock", "miou_all"]


def test_higher_is_better_except_for_losses_and_metrics_that_say_so(table):
    table = with_missed(table)
    columns = ("val_dice", "val_iou_soil", "val_missed", "val_missed_soil", "val_loss", "loss", "val_loss_dice")
    assert [table.rises(column) for column in columns] == [True, True, False, False, False, False, False]


def test_a_possible_score_is_within_the_bounds_of_its_metric(table):
    assert table.possible("kappa", -0.5)
    assert not table.possible("dice", -0.5)
    assert not table.possible("dice_soil", 1.5)
    assert table.possible("of_a_plugin", 7.0)
    assert not table.possible("of_a_plugin", math.nan)


def test_metrics_that_need_predictions_are_computed_only_on_request(table):
    names = [metric.entry.name for metric in table.computed()]
    assert "dice" in names
    assert not {"boundary_iou", "boundary_f"} & set(names)
    asked = table.asking("boundary_f:tolerance=3", installed(), where="--metrics")
    found = {metric.entry.name: metric.component for metric in asked.computed()}
    assert found["boundary_f"].tolerance == 3
    assert "boundary_iou" not in found
    assert (asked.shows("boundary_f_soil"), table.shows("boundary_f_soil")) == (True, False)


def test_the_default_metrics_of_tables_and_history(table):
    shown = {name for name in table.resolved if table.shows(name)}
    assert shown == {"miou", "miou_an2dl", "miou_all", "miou_per_image", "accuracy"}
    assert [metric.entry.name for metric in table.in_history(())] == ["miou", "accuracy"]


def test_readings_that_differ_by_ignored_classes_are_shown_where_there_are_some(table):
    readings = {"miou_an2dl", "miou_all"}
    default = {name for name in table.resolved if table.shows(name)}
    assert {name for name in table.resolved if table.for_data((0,)).shows(name)} == default
    assert {name for name in table.resolved if table.for_data(()).shows(name)} == default - readings
    asked = table.asking("miou_all", installed(), where="--metrics").for_data(())
    assert asked.shows("miou_all")
    assert {metric.entry.name for metric in table.for_data(()).computed()} >= readings  # for metrics.json


def test_a_confusion_computes_the_metrics_passed_to_it(table):
    result = Confusion(CLASSES, (0,), table.asking("boundary_iou", installed(), where="--metrics").computed())
    truth = np.array([[[1, 1, 1, 2, 2, 0]]], np.uint8)
    logits = np.eye(3)[np.array([[[1, 1, 2, 2, 2, 1]]])]
    result.update(truth, logits)
    assert result.value("dice") == pytest.approx((4 / 5 + 4 / 5) / 2)
    assert result.class_values("recall") == {"soil": pytest.approx(2 / 3), "rock": 1}
    assert result.named_class_values("precision") == {"precision_soil": 1, "precision_rock": pytest.approx(2 / 3)}
    written = result.to_json()
    assert list(written)[:9] == [*Confusion(CLASSES, (0,)).to_json()]
    assert written["per_class"]["dice"] == {"soil": pytest.approx(4 / 5), "rock": pytest.approx(4 / 5)}
    assert "iou" not in written["per_class"]  # miou has it already
    assert written["boundary_iou"] == 0  # the boundary is shifted by its whole width
    assert metric_values(written)["dice_soil"] == pytest.approx(4 / 5)
    with pytest.raises(RequestError, match="metric 'boundary_f' was not computed"):
        result.value("boundary_f")


@pytest.mark.parametrize("metric", [Broken(), BrokenCount()], ids=["value", "count"])
def test_a_metric_that_fails_is_named_and_the_others_are_computed(table, metric):
    result = Confusion(CLASSES, (0,), [*table.computed(), chosen(metric)])
    result.update(np.ones((1, 2, 2), np.uint8), np.eye(3)[np.ones((1, 2, 2), int)])
    with warned_of(r"The metric 'broken\w*' of acme 1\.0 failed: .*left out"):
        written = result.to_json()
    assert written["dice"] == 1
    assert not [key for key in written if "broken" in key]
    with pytest.raises(PluginError, match="failed"):
        result.value(type(metric).__name__.lower())


def test_scores_that_a_run_did_not_record_are_computed_from_its_confusion_matrix(table):
    matrix = [[0, 3, 2], [0, 6, 2], [0, 1, 1]]
    found = scores_from_matrix({"miou": 0.4, "accuracy": 0.7}, matrix, CLASSES, (0,), table)
    assert found["dice"] == pytest.approx((12 / 15 + 2 / 5) / 2)
    assert found["recall_rock"] == 1 / 2
    # Recorded scores are kept. Scores that need another decoding or the predictions cannot be computed from the matrix.
    assert not {"miou", "accuracy", "miou_all", "miou_an2dl", "boundary_iou"} & set(found)
    for missing in (None, [], [[1, 2], [3, 4]], [["a"]]):
        assert scores_from_matrix({}, missing, CLASSES, (0,), table) == {}


def test_an_older_run_is_ranked_by_a_metric_that_it_did_not_record(tmp_path):
    from helpers.paths import REPOSITORY

    shutil.copytree(REPOSITORY / "tests" / "frozen" / "finished", tmp_path / "old")
    (group,) = marsseg.compare(tmp_path / "old", by="f1").groups
    kept = RunFolder.open(tmp_path / "old").read_metrics()["subsets"]["test"]
    matrix = np.array(kept["confusion"])
    matrix[0] = 0
    true, said = matrix.sum(1), matrix.sum(0)
    scores = [2 * matrix[c, c] / (true[c] + said[c]) for c in range(5) if true[c]]
    assert group.values[0] == pytest.approx(np.mean(scores))
    with pytest.raises(RequestError, match="No run has a score 'boundary_iou'"):
        marsseg.compare(tmp_path / "old", by="boundary_iou")


def test_runs_are_ranked_upwards_if_lower_is_better(tmp_path, monkeypatch, table):
    from helpers.paths import REPOSITORY

    monkeypatch.setattr(comparison, "metric_table", lambda: with_missed(table))
    for name in ("finished", "psp"):
        shutil.copytree(REPOSITORY / "tests" / "frozen" / name, tmp_path / name)
    found = marsseg.compare(tmp_path / "finished", tmp_path / "psp", by="missed")
    means = [group.spread.mean for group in found.groups if group.rank is not None]
    assert means == sorted(means)


def test_ranking_by_a_score_without_an_installed_metric_is_refused(tmp_path, monkeypatch, table):
    from helpers.paths import REPOSITORY

    shutil.copytree(REPOSITORY / "tests" / "frozen" / "finished", tmp_path / "old")
    without = MetricTable({name: each for name, each in table.resolved.items() if name != "accuracy"})
    monkeypatch.setattr(comparison, "metric_table", lambda: without)
    with pytest.raises(RequestError, match="The metric 'accuracy' is not installed"):
        marsseg.compare(tmp_path / "old", by="accuracy")


class TestMonitor:
    @pytest.mark.parametrize(
        ("text", "written", "best_by", "watched"),
        [
            ("val_miou", "val_miou", "val_miou", "val_miou"),
            ("dice", "val_dice", "val_dice", "val_dice"),
            ("f1", "val_dice", "val_dice", "val_dice"),
            ("val_dice_soil", "val_dice_soil", "val_dice_soil", "val_dice_soil"),
            ("boundary_f:tolerance=2", "val_boundary_f:tolerance=2", "val_boundary_f", "val_boundary_f"),
            ("marsseg/kappa", "val_marsseg/kappa", "val_kappa", "val_kappa"),
            ("val_loss", "val_loss", "val_miou", "val_loss"),
            ("loss", "loss", "val_miou", "loss"),
        ],
    )
    def test_is_written_as_a_column_of_the_history(self, text, written, best_by, watched):
        plan = api.plan(monitor=text)
        assert (plan.training.monitor, plan.metrics.best_by, plan.metrics.watched) == (written, best_by, watched)

    def test_has_the_parameters_of_the_same_metric_in_metrics(self):
        plan = api.plan(monitor="boundary_f", metrics="boundary_f:tolerance=4")
        assert plan.metrics.resolved["boundary_f"].component.tolerance == 4

    @pytest.mark.parametrize(
        ("words", "message"),
        [
            ({"monitor": "dicee"}, "no metric 'dicee' to monitor.*Did you mean 'dice'"),
            ({"monitor": "boundary_f:tolerance=-1"}, "tolerance"),
            ({"monitor": "boundary_f:width=1"}, "width"),
            ({"metrics": "boundery_iou"}, "no metric 'boundery_iou'.*boundary_iou"),
        ],
    )
    def test_is_refused_if_it_is_not_a_metric(self, words, message):
        with pytest.raises(RequestError, match=message):
            api.plan(**words)

    def test_is_refused_if_it_is_disabled(self, cli):
        answer = cli("run", "--dry-run", "--monitor", "kappa", MARSSEG_DISABLE="kappa")
        assert answer.code == 2
        assert "by MARSSEG_DISABLE" in answer.err
        assert cli("run", "--dry-run", "--monitor", "recall", MARSSEG_DISABLE="kappa").code == 0
