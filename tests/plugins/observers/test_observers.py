"""The observers for TensorBoard and MLflow: when they are active, and what they record."""

from __future__ import annotations

from importlib import metadata
from importlib.util import find_spec
from types import SimpleNamespace

import pytest
from helpers.messages import no_warning, warnings_told

from marsseg_core import api
from marsseg_core.errors import RequestError
from marsseg_core.files.run_folder import FINISHED, INTERRUPTED, RunFolder
from marsseg_core.hooks import load_hooks
from marsseg_core.registry.catalog import installed
from marsseg_core.registry.kinds import OBSERVER
from marsseg_plugins.observers import on_request

NAMES = ("mlflow", "tensorboard")

RECORD = {"epoch": 1, "loss": 0.7, "loss_ssce": 0.5, "weight_ssce": 1.0, "weight_dice": 0.25}
RECORD |= {"val_loss": 0.8, "val_miou": 0.5, "val_iou_soil": 0.5, "val_iou_big rock": None, "learning_rate": 0.001}
SCALARS = {"training/loss": 0.7, "training/loss_ssce": 0.5, "weights/ssce": 1.0, "weights/dice": 0.25}
SCALARS |= {"validation/loss": 0.8, "validation/miou": 0.5, "validation/iou_soil": 0.5, "training/learning_rate": 0.001}

SCORES = {"miou": 0.4, "accuracy": 0.6, "iou": {"soil": 0.4, "big rock": None}}


@pytest.fixture(autouse=True)
def no_observer_requested(monkeypatch):
    monkeypatch.delenv(on_request.VARIABLE, raising=False)


def begun_run(path, **values):
    """Return a run before its training, with the attributes that these observers use."""
    path.mkdir(exist_ok=True)
    network = SimpleNamespace(count_params=lambda: 1234)
    data = SimpleNamespace(source="synthetic")
    plan = api.plan(arch="unet:width=0.5", loss="ssce,dice:weight=0.25")
    folder = RunFolder(path)
    return SimpleNamespace(
        plan=plan, folder=folder, path=path, data=data, network=network, best_epoch=None, metrics={}, **values
    )


def observe(*names):
    """Return the hooks of only these observers."""
    return load_hooks([installed().find(OBSERVER, name) for name in names])


def follow(hooks, run, *, epochs=1, status=FINISHED, subsets=("validation", "test")):
    """Call the hooks of a run in their order."""
    hooks("marsseg_plan_resolved", plan=run.plan)
    hooks("marsseg_network_built", run=run)
    for epoch in range(1, epochs + 1):
        run.best_epoch = 1
        hooks("marsseg_epoch_finished", run=run, record=RECORD | {"epoch": epoch})
    run.metrics = {"status": status, "subsets": dict.fromkeys(subsets, SCORES)}
    hooks("marsseg_run_finished", run=run)


# --- when they are active


def test_each_has_an_extra_of_its_name():
    assert set(NAMES) <= set(metadata.metadata("marsseg").get_all("Provides-Extra"))


def test_one_that_is_not_requested_does_nothing(tmp_path):
    with no_warning():
        follow(observe(*NAMES), begun_run(tmp_path / "run"))
    assert not [*(tmp_path / "run").iterdir()]


def test_loading_them_imports_no_library(python):
    code = "import sys\nfrom marsseg_core.hooks import load_hooks\nload_hooks()\nprint(*sys.modules)"
    modules = set(python(code, MARSSEG_OBSERVERS="mlflow,tensorboard").out.split())
    assert "marsseg_plugins.observers.mlflow" in modules
    assert not modules & {"mlflow", "tensorboard", "keras", "tensorflow"}


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_library_is_one_warning_that_names_the_extra(tmp_path, monkeypatch, name):
    monkeypatch.setenv(on_request.VARIABLE, name)
    monkeypatch.setattr(on_request, "find_spec", lambda library: None)
    with warnings_told() as warned:
        follow(observe(*NAMES), begun_run(tmp_path / "run"), epochs=3)
    (line,) = warned
    assert f'pip install "marsseg[{name}]"' in line
    assert not [*(tmp_path / "run").iterdir()]


def test_a_folder_with_the_name_is_not_a_library(tmp_path, monkeypatch):
    (tmp_path / "no_library").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv(on_request.VARIABLE, "no_library")
    assert find_spec("no_library") is not None
    assert not on_request.asked_for("no_library")


def test_a_wrong_name_is_an_error_before_the_run(monkeypatch):
    monkeypatch.setenv(on_request.VARIABLE, "report, tensorbord")
    with pytest.raises(RequestError, match=r"no observer 'tensorbord'.*Did you mean 'tensorboard'") as refusal:
        observe(*NAMES)("marsseg_plan_resolved", plan=None)
    assert refusal.value.where == on_request.VARIABLE


def test_disabled_is_disabled(tmp_path, monkeypatch):
    monkeypatch.setenv(on_request.VARIABLE, "tensorboard")
    monkeypatch.setenv("MARSSEG_DISABLE", "tensorboard,report,progress,mlflow")
    with no_warning():
        follow(load_hooks(), begun_run(tmp_path / "run"))
    assert not [*(tmp_path / "run").iterdir()]


# --- TensorBoard


def read_events(folder) -> dict[tuple[str, int], float]:
    """Return the values by (tag, step), as TensorBoard reads them."""
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    events = accumulator.EventAccumulator(str(folder)).Reload()
    return {(tag, e.step): e.value for tag in events.Tags()["scalars"] for e in events.Scalars(tag)}


@pytest.fixture
def tensorboard(monkeypatch):
    pytest.importorskip("tensorboard", reason="tensorboard is not installed: marsseg[tensorboard]")
    monkeypatch.setenv(on_request.VARIABLE, "tensorboard")
    return observe("tensorboard")


def test_tensorboard_has_every_scalar_of_the_history_and_the_test_scores(tmp_path, tensorboard):
    run = begun_run(tmp_path / "run")
    follow(tensorboard, run, epochs=2)
    expected = {(tag, epoch): value for tag, value in SCALARS.items() for epoch in (1, 2)}
    expected |= {("test/miou", 1): 0.4, ("test/accuracy", 1): 0.6, ("test/iou_soil", 1): 0.4}
    assert read_events(run.path / "tensorboard") == pytest.approx(expected)


def test_tensorboard_reads_a_resumed_run_after_a_cut_off_event(tmp_path, tensorboard):
    run = begun_run(tmp_path / "run")
    tensorboard("marsseg_network_built", run=run)
    for epoch in (1, 2):
        tensorboard("marsseg_epoch_finished", run=run, record=RECORD | {"epoch": epoch})
    (killed,) = (run.path / "tensorboard").iterdir()
    killed.write_bytes(killed.read_bytes()[:-7])
    tensorboard("marsseg_network_built", run=run)
    tensorboard("marsseg_epoch_finished", run=run, record=RECORD | {"epoch": 3})
    steps = {step for _, step in read_events(run.path / "tensorboard")}
    assert steps == {1, 3}


def test_an_interrupted_run_has_no_test_scores(tmp_path, tensorboard):
    follow(tensorboard, begun_run(tmp_path / "none"), epochs=0, status=INTERRUPTED, subsets=())
    assert read_events(tmp_path / "none" / "tensorboard") == {}
    follow(tensorboard, begun_run(tmp_path / "run"), status=INTERRUPTED, subsets=("validation",))
    assert {tag for tag, _ in read_events(tmp_path / "run" / "tensorboard")} == set(SCALARS)


def test_events_are_written_without_tensorflow(python, tensorboard):
    code = "import sys, types, pathlib\nfrom marsseg_plugins.observers import tensorboard\n"
    code += "run = types.SimpleNamespace(path=pathlib.Path('.'))\ntensorboard.marsseg_network_built(run)\n"
    code += "tensorboard.marsseg_epoch_finished(run, {'epoch': 1, 'loss': 1.0})\n"
    code += "print('tensorboard' in sys.modules, 'tensorflow' in sys.modules)"
    assert python(code).out.split() == ["True", "False"]


# --- MLflow, with a store in a file


@pytest.fixture
def mlflow(tmp_path, monkeypatch):
    """Return a client of MLflow with an empty local store."""
    library = pytest.importorskip("mlflow", reason="mlflow is not installed: marsseg[mlflow]")
    pytest.importorskip("sqlalchemy", reason="mlflow's local store needs sqlalchemy, which mlflow-skinny leaves out")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/store.db")
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    monkeypatch.setenv(on_request.VARIABLE, "mlflow")
    return library.MlflowClient()


def runs_of(mlflow, experiment="marsseg"):
    return mlflow.search_runs([mlflow.get_experiment_by_name(experiment).experiment_id])


@pytest.mark.slow
def test_mlflow_has_parameters_metrics_artifacts_and_the_status(tmp_path, mlflow, monkeypatch):
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "Jezero")
    run = begun_run(tmp_path / "run")
    run.folder.write_text(run.folder.plan, "seed = 1\n")
    run.folder.write_text(run.folder.figures / "classes.png", "a figure")
    run.folder.write_text(run.folder.checkpoint, "large")
    hooks = observe("mlflow")
    follow(hooks, run, epochs=2)

    (logged,) = runs_of(mlflow, "Jezero")
    assert (logged.info.status, logged.info.run_name) == ("FINISHED", "run")
    assert logged.data.tags["marsseg.folder"] == str(run.path)
    params = logged.data.params
    assert (params["arch"], params["arch.unet.width"], params["loss"]) == ("unet", "0.5", "ssce,dice")
    assert (params["loss.dice.weight"], params["parameters"]) == ("0.25", "1234")
    assert {"training.seed", "split.test", "data.synthetic.count"} <= set(params)
    assert logged.data.metrics == pytest.approx(
        SCALARS | {"test/miou": 0.4, "test/accuracy": 0.6, "test/iou_soil": 0.4}
    )
    history = mlflow.get_metric_history(logged.info.run_id, "validation/miou")
    assert sorted((each.step, each.value) for each in history) == [(1, 0.5), (2, 0.5)]
    artifacts = {each.path for each in mlflow.list_artifacts(logged.info.run_id)}
    assert artifacts == {"plan.toml", "manifest.json", "figures"}
    assert [each.path for each in mlflow.list_artifacts(logged.info.run_id, "figures")] == ["figures/classes.png"]

    # A run that is interrupted and resumed is one run of MLflow.
    run = begun_run(tmp_path / "cut")
    follow(hooks, run, status=INTERRUPTED, subsets=("validation",))
    assert {each.info.status for each in runs_of(mlflow, "Jezero")} == {"FINISHED", "KILLED"}
    hooks("marsseg_network_built", run=run)
    assert {each.info.status for each in runs_of(mlflow, "Jezero")} == {"FINISHED", "RUNNING"}
    follow(hooks, run, epochs=3)
    assert [each.info.status for each in runs_of(mlflow, "Jezero")] == ["FINISHED", "FINISHED"]

    # If the store does not know the run, a new one is created.
    run.folder.write_json(run.path / "mlflow.json", {"schema": 1, "run": "0" * 32})
    follow(hooks, run)
    assert len(runs_of(mlflow, "Jezero")) == 3


@pytest.mark.slow
def test_a_failed_run_is_marked_as_failed_in_mlflow(tmp_path, mlflow, marsseg_with_keras):
    (tmp_path / "bad.py").write_text(
        "from dataclasses import dataclass\nfrom marsseg_core.plugin_api import Loss\n\n"
        "@dataclass(frozen=True)\nclass Bad(Loss):\n    def build(self, spec):\n        return self.of\n\n"
        "    def of(self, labels, logits):\n"
        "        if labels.shape[0] == 1:  # the image of the check before the training\n"
        "            return (logits**2).__getitem__((0, 0, 0, 0))\n"
        "        raise ArithmeticError('no such number')\n"
    )
    words = ["--arch", "unet:width=0.1:depth=1:convolutions=1", "--bottleneck", "none"]
    words += ["--data", "synthetic:count=24:height=16:width=32", "--plugin", "bad.py", "--loss", "bad"]
    answer = marsseg_with_keras("run", *words, MARSSEG_OBSERVERS="mlflow")
    assert answer.code == 3
    assert "no such number" in answer.err
    assert "Traceback" not in answer.err
    assert [each.info.status for each in runs_of(mlflow)] == ["FAILED"]


@pytest.mark.slow
def test_a_run_on_the_command_line_reaches_both(tmp_path, mlflow, marsseg_with_keras):
    pytest.importorskip("tensorboard")
    words = ["--arch", "unet:width=0.1:depth=1:convolutions=1", "--bottleneck", "none", "--loss", "ssce,dice"]
    words += ["--weighting", "softadapt", "--data", "synthetic:count=24:height=16:width=32"]
    answer = marsseg_with_keras("run", *words, "--epochs", "2", "--out", "run", MARSSEG_OBSERVERS="mlflow,tensorboard")
    assert answer.code == 0, answer.err
    assert "Warning" not in answer.err
    (logged,) = runs_of(mlflow)
    artifacts = {each.path for each in mlflow.list_artifacts(logged.info.run_id)}
    assert {"plan.toml", "metrics.json", "history.csv", "network.keras", "report.html", "figures"} <= artifacts
    events = read_events(tmp_path / "run" / "tensorboard")
    assert {tag for tag, _ in events} == set(logged.data.metrics)
    assert {"weights/dice", "validation/iou_soil", "test/miou"} <= set(logged.data.metrics)
    last = {tag: value for (tag, step), value in sorted(events.items(), key=lambda item: item[0][1])}
    assert last == pytest.approx(logged.data.metrics, rel=1e-6)
