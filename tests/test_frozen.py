"""What version 0.1.0 wrote goes on being read: loaded, evaluated, compared, resumed (`tests/frozen/README.md`)."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from helpers.paths import FROZEN

import marsseg_core as marsseg
from marsseg_core.api import plan
from marsseg_core.files.run_folder import RunFolder

pytestmark = pytest.mark.usefixtures("without_reports")

NETWORKS = sorted(str(path.parent.relative_to(FROZEN)) for path in FROZEN.rglob("network.keras"))
FINISHED = ("finished", "tiles", "psp", "transunet")
KILLED = sorted(path.name for path in FROZEN.glob("*-killed"))


@pytest.fixture
def frozen(tmp_path) -> Path:
    """A copy of all of it, which may be written to, with the paths of its data as they are there."""
    copy = tmp_path / "frozen"
    shutil.copytree(FROZEN, copy)
    for file in copy.rglob("plan.toml"):
        file.write_text(file.read_text(encoding="utf-8").replace("@FROZEN@", copy.as_posix()), encoding="utf-8")
    return copy


@pytest.mark.parametrize("name", NETWORKS)
def test_a_saved_network_gives_what_it_gave(name):
    network = marsseg.load(FROZEN / name)
    height, width, channels = network.input_shape[1:]
    images = 0.5 + 0.5 * np.sin(np.arange(2 * height * width * channels) * 0.37)
    logits = network(images.reshape(2, height, width, channels).astype(np.float32))
    with np.load(FROZEN / "outputs.npz") as outputs:
        expected = outputs[name]
    np.testing.assert_allclose(np.asarray(logits)[:, ::3, ::3], expected, rtol=0, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize("name", FINISHED)
def test_a_finished_run_is_scored_as_it_was(frozen, name):
    kept = RunFolder.open(frozen / name)
    scored = marsseg.evaluate(frozen / name).to_json()
    expected = kept.read_metrics()["subsets"]["test"]
    assert scored["support"] == expected["support"]
    assert scored["miou"] == pytest.approx(expected["miou"], abs=5e-3)  # another processor may turn a pixel


def test_a_series_and_runs_are_compared(frozen):
    comparison = marsseg.compare(frozen / "series", frozen / "finished", frozen / "psp")
    assert sorted(len(group.runs) for group in comparison.groups) == [1, 2]
    assert [path.name for path, _ in comparison.skipped] == ["finished"]  # the series' seed 0 once more


@pytest.mark.parametrize("name", FINISHED)
def test_a_plan_of_then_can_be_run_again(frozen, name):
    assert plan(frozen / name, epochs=1).training.epochs == 1


@pytest.mark.slow
@pytest.mark.parametrize("name", KILLED)
def test_a_killed_run_goes_on(frozen, name):
    expected = json.loads((FROZEN / "resumed.json").read_text(encoding="utf-8"))[name]
    run = marsseg.resume(frozen / name)
    assert run.metrics["status"] == "finished"
    assert len(run.history) == len(expected["history"])
    done = (FROZEN / name / "history.csv").read_text(encoding="utf-8").count("\n") - 1
    for row, known in zip(run.history[:done], expected["history"], strict=False):
        assert row["loss"] == known["loss"]
    for row, known in zip(run.history, expected["history"], strict=True):
        if "ema" in name or "swa" in name:
            # 0.1.0 scored averaged weights with statistics of others; the training itself goes on as it did.
            assert row["loss_dice"] == pytest.approx(known["loss_dice"], rel=1e-2)
            continue
        assert row["val_miou"] == pytest.approx(known["val_miou"], abs=2e-3)
        # 0.1.0 took unlabelled ground for boundaries: its values of `boundary`, and sums with it, were not right.
        of_boundaries = "val_loss_boundary" in known
        for loss in ("val_loss_ssce", "val_loss_dice") if of_boundaries else ("val_loss",):
            assert row[loss] == pytest.approx(known[loss], rel=1e-3)
