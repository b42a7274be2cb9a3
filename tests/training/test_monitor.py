"""The metric that decides which network is the best, from the command line to the run folder."""

from __future__ import annotations

import json

import numpy as np
import pytest
from helpers.messages import warnings_told

import marsseg_core as marsseg
from marsseg_core.errors import RequestError

SMALL = {
    "arch": "unet:width=0.125:depth=2:convolutions=1",
    "bottleneck": "none",
    "data": "synthetic:count=24:height=16:width=32",
    "batch": 4,
    "learning_rate": 0.01,
}

MISSED = '''
from dataclasses import dataclass

import numpy as np

from marsseg_core.plugin_api import Metric, counted_rows, mean_with_support


@dataclass(frozen=True)
class Missed(Metric):
    """Missed: of the pixels of a class, the share that is taken for another."""

    higher_is_better = False
    per_class = "missed"

    def value(self, counts, spec):
        return mean_with_support(self.values(counts, spec), counted_rows(counts, spec.ignore_classes))

    def values(self, counts, spec):
        matrix = counted_rows(counts, spec.ignore_classes)
        with np.errstate(invalid="ignore"):
            return 1 - np.diagonal(matrix) / matrix.sum(1)
'''


def small_run(out, **words):
    return marsseg.run(out=out, **(SMALL | {"epochs": 3} | words))


def column(run, name) -> list[float]:
    return [record[name] for record in run.history]


@pytest.fixture(scope="module")
def by_boundaries(tmp_path_factory):
    """A run whose best network is chosen by a metric that needs predictions, with further requested metrics."""
    words = {"monitor": "boundary_f:tolerance=2", "metrics": "boundary_iou,recall"}
    return small_run(tmp_path_factory.mktemp("runs") / "run", **words)


def test_the_monitored_metric_chooses_the_best_network(by_boundaries):
    run = by_boundaries
    assert run.best_by == "val_boundary_f"
    assert run.best_epoch == 1 + int(np.argmax(column(run, "val_boundary_f")))
    metrics = json.loads((run.path / "metrics.json").read_text())
    assert metrics["best_by"] == "val_boundary_f"
    best = run.history[run.best_epoch - 1]
    assert metrics["subsets"]["validation"]["boundary_f"] == pytest.approx(best["val_boundary_f"], abs=1e-6)


def test_the_history_has_what_is_monitored_beside_what_it_always_has(by_boundaries):
    classes = ["soil", "bedrock", "sand", "big_rock"]
    scores = ["val_miou", "val_accuracy", "val_boundary_f", *(f"val_iou_{name}" for name in classes)]
    assert list(by_boundaries.history[0]) == ["epoch", "loss", "val_loss", *scores, "learning_rate", "seconds"]


def test_what_is_asked_for_is_scored_and_shown(by_boundaries, cli):
    run = by_boundaries
    subset = run.metrics["subsets"]["test"]
    assert {"boundary_iou", "boundary_f", "dice", "kappa"} <= set(subset)
    page = (run.path / "report.html").read_text()
    assert all(label in page for label in ("Boundary IoU", "Boundary F-score", "Recall"))
    assert "Cohen" not in page
    assert "the best by boundary_f" in page
    answer = cli("evaluate", str(run.path))
    rows = dict(row.split("\t")[:2] for row in answer.out.split("\n\n")[0].splitlines())
    assert rows["boundary_iou"] == f"{subset['boundary_iou']:.4f}"
    assert rows["recall soil"] == f"{subset['per_class']['recall']['soil']:.4f}"
    assert "kappa" not in rows


def test_evaluate_and_compare_take_any_metric(by_boundaries, cli):
    path = str(by_boundaries.path)
    answer = cli("evaluate", path, "--metrics", "kappa,boundary_f:tolerance=0")
    assert answer.code == 0, answer.err
    rows = dict(row.split("\t")[:2] for row in answer.out.split("\n\n")[0].splitlines())
    assert rows["kappa"] == f"{by_boundaries.metrics['subsets']['test']['kappa']:.4f}"
    assert float(rows["boundary_f"]) < by_boundaries.metrics["subsets"]["test"]["boundary_f"]
    assert marsseg.evaluate(path, metrics="kappa").value("kappa") == by_boundaries.scores["test"].value("kappa")
    assert (
        f"{by_boundaries.metrics['subsets']['test']['boundary_iou']:.4f}"
        in cli("compare", path, "--by", "boundary_iou").out
    )


def test_nobody_pays_for_a_boundary_that_nobody_asked_for(tmp_path, monkeypatch):
    from marsseg_plugins.metrics.boundaries import BoundaryF, BoundaryIoU

    for cls in (BoundaryF, BoundaryIoU):
        monkeypatch.setattr(cls, "count", lambda *given: pytest.fail("it was computed"))
    run = small_run(tmp_path / "run", epochs=1, monitor="val_loss", patience=1)
    assert run.best_by == "val_miou"
    assert "boundary_f" not in run.metrics["subsets"]["test"]


def test_less_is_better_where_the_metric_says_so_also_when_the_run_is_resumed(tmp_path):
    (tmp_path / "missed.py").write_text(MISSED)
    words = {"plugins": [tmp_path / "missed.py"], "monitor": "missed", "learning_rate": 0.02}
    run = small_run(tmp_path / "run", epochs=4, schedule="plateau:monitor=val_recall", **words)
    values = column(run, "val_missed")
    assert run.best_epoch == 1 + int(np.argmin(values))
    assert max(values) > min(values)
    assert column(run, "val_recall") == pytest.approx([1 - value for value in values])

    # As if it had been killed after the training and before the scoring.
    (run.path / "metrics.json").unlink()
    again = marsseg.resume(run.path, trust=True)
    assert (again.best_by, again.best_epoch) == ("val_missed", run.best_epoch)


@pytest.mark.parametrize("monitor", ["val_iou_lava", "val_dice_background"])
def test_a_class_that_the_data_does_not_score_is_refused_before_anything_is_written(tmp_path, monitor):
    with pytest.raises(RequestError, match=f"no column '{monitor}' to monitor.*soil"):
        small_run(tmp_path / "run", monitor=monitor)
    assert not (tmp_path / "run").exists()


@pytest.mark.usefixtures("without_observers")
def test_a_class_that_the_validation_subset_lacks_chooses_no_network(tmp_path, caplog):
    masks = np.ones((12, 16, 16), np.uint8)
    masks[:6, 4:] = 2
    split = {"train": [*range(8)], "validation": [8, 9], "test": [10, 11]}
    data = marsseg.SegmentationData(np.zeros((12, 16, 16, 1), np.uint8), masks, ("sky", "soil", "rock"), split=split)
    run = small_run(tmp_path / "run", epochs=1, data=data, monitor="val_recall_rock")
    assert [line for line in caplog.messages if "val_recall_rock" in line] == [
        "val_recall_rock says nothing: the validation subset has no pixel of this class.",
        "val_recall_rock is undefined, so it chose no network: the stored one is that of epoch 1.",
    ]
    assert run.history[0]["val_recall_rock"] is None


def test_a_score_of_the_training_subset_can_be_monitored_only_if_it_is_scored(tmp_path):
    words = {"epochs": 1, "schedule": "plateau:monitor=dice"}
    with pytest.raises(RequestError, match="score_training"):
        small_run(tmp_path / "run", **words)
    run = small_run(tmp_path / "run", overrides=["training.score_training=true"], **words)
    assert {"dice", "miou", "val_miou"} <= set(run.history[0])
    assert "val_dice" not in run.history[0]


@pytest.mark.slow
def test_a_resumed_run_of_version_0_1_0_still_chooses_its_network_by_val_miou(tmp_path):
    """In 0.1.0 it was always chosen by val_miou."""
    import shutil

    from helpers.paths import REPOSITORY

    frozen = REPOSITORY / "tests" / "frozen"
    shutil.copytree(frozen, tmp_path / "frozen")
    folder = tmp_path / "frozen" / "gradnorm-killed"
    plan = (folder / "plan.toml").read_text(encoding="utf-8").replace("@FROZEN@", (tmp_path / "frozen").as_posix())
    assert 'monitor = "val_miou"' in plan
    (folder / "plan.toml").write_text(plan.replace('monitor = "val_miou"', 'monitor = "val_accuracy"', 1))
    lines = []
    with warnings_told(lines):
        run = marsseg.resume(folder)
    assert run.best_by == "val_miou"
    assert any("still chosen by val_miou, as when the run began" in line for line in lines)
