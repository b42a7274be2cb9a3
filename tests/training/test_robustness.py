"""A failure in a run or a plugin is one error that names its cause; Ctrl-C works on every backend."""

import json
import os
import signal
import subprocess
import sys
import time

import keras
import numpy as np
import pytest
from helpers.messages import no_warning, warnings_told

import marsseg_core as marsseg
from marsseg_core import hooks
from marsseg_core.components.specs import WeightingSpec
from marsseg_core.components.weighting_layer import WeightingLayer
from marsseg_core.data.arrays import SegmentationData
from marsseg_core.data.warps import Warp
from marsseg_core.errors import PluginError, RequestError, RunError
from marsseg_core.files.run_folder import RunFolder
from marsseg_core.hooks import hookimpl, load_hooks
from marsseg_core.networks import startup
from marsseg_core.training import loop
from marsseg_core.training.callbacks import GuardedCallback
from marsseg_core.training.recorder import RunRecorder
from marsseg_core.training.task import SegmentationTask
from marsseg_plugins.augmentations.hflip import HFlip
from marsseg_plugins.datasets.synthetic import Synthetic
from marsseg_plugins.losses.ssce import SSCE
from marsseg_plugins.observers import progress
from marsseg_plugins.semi_supervised.layers import FixMatchLayer

WORDS = {"arch": "unet:width=0.125:depth=1:convolutions=1", "data": "synthetic:count=24:height=16:width=32", "batch": 4}


def run(tmp_path, **words):
    return marsseg.run(out=tmp_path / "run", **(WORDS | {"epochs": 1} | words))


def failing(*arguments, **options):
    raise KeyError("broken")


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["tensorflow", "jax"])
def test_ctrl_c_ends_the_training_and_keeps_the_best_network(tmp_path, backend):
    pytest.importorskip(backend)
    out = tmp_path / "run"
    words = ["--arch", WORDS["arch"], "--data", WORDS["data"], "--epochs", "100000", "--out", str(out)]
    process = subprocess.Popen(
        [sys.executable, "-m", "marsseg_core", "run", *words],
        env=os.environ | {"KERAS_BACKEND": backend},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        while not (out / "history.csv").exists():
            assert process.poll() is None, process.communicate()
            time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=120)
    finally:
        process.kill()
    assert process.returncode == 130, errors
    assert "Traceback" not in errors
    assert json.loads((out / "metrics.json").read_text())["status"] == "interrupted"
    assert "miou" in output
    assert (out / "report.html").exists()


def test_a_data_set_that_fails_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(Synthetic, "load", failing)
    with pytest.raises(PluginError, match="data set 'synthetic' of marsseg"):
        run(tmp_path)


def test_a_loss_that_fails_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(SSCE, "build", lambda self, spec: failing)
    with pytest.raises((PluginError, RunError), match="ssce"):
        run(tmp_path, loss="ssce")


@pytest.mark.parametrize("method", ["prepare", "apply", "warp"])
def test_an_augmentation_that_fails_is_named(tmp_path, monkeypatch, method):
    """Also in a thread of the pipeline, where the backend wraps the error into one of its own."""
    monkeypatch.setattr(HFlip, method, failing)
    with pytest.raises(PluginError, match=r"augmentation 'hflip' of marsseg .* failed: KeyError: 'broken'"):
        run(tmp_path, augment="hflip:p=1")


def test_an_augmentation_that_changes_the_size_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(HFlip, "apply", lambda self, images, masks, generators: (images[:, ::2], masks[:, ::2]))
    with pytest.raises(PluginError, match=r"'hflip' of marsseg .* returns images and masks of shapes \(4, 8, 32, 1\)"):
        run(tmp_path, augment="hflip:p=1")


@pytest.mark.parametrize(
    ("warp", "message"),
    [
        (3, "returns a int, not a Warp"),
        (Warp(np.zeros((2, 8, 8))), r"returns a warp with the shape \(2, 8, 8\), not \(2, 16, 32\)"),
    ],
)
def test_an_augmentation_with_a_wrong_warp_is_named(tmp_path, monkeypatch, warp, message):
    monkeypatch.setattr(HFlip, "warp", lambda self, height, width, generator: warp)
    with pytest.raises(PluginError, match=f"'hflip' of marsseg .* {message}"):
        run(tmp_path, augment="hflip:p=1")


@pytest.mark.parametrize("nothing", [None, 3])
def test_a_loss_that_builds_no_function_is_named(tmp_path, monkeypatch, nothing):
    monkeypatch.setattr(SSCE, "build", lambda self, spec: nothing)
    with pytest.raises(PluginError, match=rf"loss 'ssce' of marsseg .* builds {nothing}, not a function"):
        run(tmp_path, loss="ssce")


@pytest.mark.parametrize("losses", ["ssce", "ssce,dice"])
def test_the_loss_that_is_no_number_is_named(tmp_path, monkeypatch, losses):
    build = SSCE.build
    monkeypatch.setattr(
        SSCE, "build", lambda self, spec: lambda *arguments: build(self, spec)(*arguments) * float("nan")
    )
    with pytest.raises(RunError, match=r"became nan in epoch 1, batch 1\..* ssce divides by zero or overflows\."):
        run(tmp_path, loss=losses)


def test_the_term_of_a_method_that_is_no_number_is_named(tmp_path, monkeypatch):
    term = FixMatchLayer.term
    monkeypatch.setattr(
        FixMatchLayer, "term", lambda self, *views: (term(self, *views)[0] * float("nan"), term(self, *views)[1])
    )
    with pytest.raises(RunError, match=r"became nan in epoch 1, batch 1\..* term of the semi-supervised method"):
        run(tmp_path, semi="fixmatch", unlabelled="synthetic:first=99:count=8:height=16:width=32")


def test_a_component_that_ends_the_process_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(SSCE, "build", lambda self, spec: sys.exit("bye"))
    with pytest.raises(PluginError, match=r"loss 'ssce' of marsseg .* failed: SystemExit: bye"):
        run(tmp_path, loss="ssce")


def test_a_loss_that_returns_no_scalar_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(SSCE, "build", lambda self, spec: lambda labels, logits: logits)
    with pytest.raises((PluginError, RunError), match="not a scalar"):
        run(tmp_path, loss="ssce")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"loss": "wssce", "overrides": ["loss.wssce.weights=1,2,3"]}, "3 class weights do not fit 5 classes"),
        ({"schedule": "cosine:warmup=100"}, "warm"),
        ({"overrides": ["data.synthetic.count=2"]}, "subset would be empty"),
    ],
)
def test_a_wrong_request_leaves_no_folder(tmp_path, words, message):
    with pytest.raises(RequestError, match=message):
        run(tmp_path, **words)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("names", "ignore_classes", "message"),
    [(("a", "a"), (), "Two classes have the name a."), (("a", "b"), (0, 1), "All classes are ignored")],
)
def test_data_without_distinct_classes_is_refused(names, ignore_classes, message):
    with pytest.raises(RequestError, match=message):
        SegmentationData(np.zeros((1, 4, 4, 1), np.uint8), np.zeros((1, 4, 4), np.uint8), names, ignore_classes)


def test_data_without_a_labelled_pixel_is_refused(tmp_path, monkeypatch):
    masks = np.zeros((9, 16, 32), np.uint8)
    data = SegmentationData(np.zeros((9, 16, 32, 1), np.uint8), masks, ("background", "soil"), (0,))
    monkeypatch.setattr(Synthetic, "load", lambda self: data)
    with pytest.raises(RequestError, match="No pixel"):
        run(tmp_path)


def test_a_failed_run_says_so_in_its_log(tmp_path):
    with pytest.raises(RunError):
        run(tmp_path, learning_rate=1e30, epochs=3)
    assert "failed:" in (tmp_path / "run" / "log.txt").read_text()


class RecordingObserver:
    """An observer that records which hooks are called at the end of a run."""

    def __init__(self) -> None:
        self.calls = []

    @hookimpl
    def marsseg_run_failed(self, run, error):
        self.calls.append(("failed", run, error))

    @hookimpl
    def marsseg_run_finished(self, run):
        self.calls.append(("finished", run, None))


@pytest.fixture
def calls(monkeypatch):
    """The recorded calls of the only observer in the test."""
    observer = RecordingObserver()

    def loaded(observers):
        hook_caller = load_hooks(observers=[])
        hook_caller._manager.register(observer, name="recorder of the tests")
        return hook_caller

    monkeypatch.setattr(hooks, "load_hooks", loaded)
    return observer.calls


def test_observers_receive_the_error_and_the_unfinished_run(tmp_path, calls):
    with pytest.raises(RunError) as caught:
        run(tmp_path, learning_rate=1e30, epochs=3)
    ((name, failed, error),) = calls
    assert name == "failed"
    assert error is caught.value
    assert failed.path == tmp_path / "run"
    assert (failed.metrics, failed.scores) == ({}, {})
    assert not failed.folder.metrics.exists()


def test_an_unexpected_error_is_reported_and_logged_too(tmp_path, calls, monkeypatch):
    monkeypatch.setattr(loop, "write_end", failing)
    with pytest.raises(KeyError, match="broken"):
        run(tmp_path)
    ((name, failed, error),) = calls
    assert (name, repr(error), len(failed.history)) == ("failed", "KeyError('broken')", 1)
    assert "failed: KeyError: 'broken'" in failed.folder.log_file.read_text()


def test_a_full_disk_is_reported_before_the_training(tmp_path, calls, monkeypatch):
    full = RunError("plan.toml cannot be written: No space left on device.")

    def write(self, path, content):
        raise full

    monkeypatch.setattr(RunFolder, "write_bytes", write)
    monkeypatch.setattr("marsseg_core.files.appended.write_bytes", lambda path, content: write(None, path, content))
    with pytest.raises(RunError, match="No space"):
        run(tmp_path)
    assert [(name, error) for name, _, error in calls] == [("failed", full)]
    assert not (tmp_path / "run").exists()


def test_the_failure_of_a_resumed_run_is_reported(tmp_path, calls, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(loop, "write_end", failing)
        with pytest.raises(KeyError):
            run(tmp_path)
        with pytest.raises(KeyError):
            marsseg.resume(tmp_path / "run")
    assert [name for name, _, _ in calls] == ["failed", "failed"]
    marsseg.resume(tmp_path / "run")
    assert [name for name, _, _ in calls] == ["failed", "failed", "finished"]


def test_a_wrong_request_and_ctrl_c_are_no_failures_of_a_run(tmp_path, calls, monkeypatch):
    with pytest.raises(RequestError):
        run(tmp_path, schedule="cosine:warmup=100")
    assert calls == []

    def interrupted(self, epoch, logs=None):
        raise KeyboardInterrupt

    monkeypatch.setattr(RunRecorder, "on_epoch_end", interrupted)
    assert run(tmp_path).interrupted
    assert [name for name, _, _ in calls] == ["finished"]


def test_an_observer_that_fails_after_a_failure_does_not_hide_the_first_error(tmp_path, calls, monkeypatch):
    """Also when the disk is full, so that not even the log can be written."""
    warned = []

    def full(self, line):
        raise RunError("log.txt cannot be written: No space left on device.")

    def fails(self, run, error):
        monkeypatch.setattr(RunFolder, "log", full)
        raise RuntimeError("and again")

    monkeypatch.setattr(RecordingObserver, "marsseg_run_failed", hookimpl(fails, specname="marsseg_run_failed"))
    with pytest.raises(RunError, match="loss became"), warnings_told(warned):
        marsseg.run(out=tmp_path / "run", **(WORDS | {"epochs": 3, "learning_rate": 1e30}))
    assert "The observer recorder of the tests failed in marsseg_run_failed: RuntimeError: and again" in warned[-1]


def test_a_callback_that_fails_is_named_once_and_not_called_again():
    class Broken(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            failing()

    with warnings_told() as warned:
        callback = GuardedCallback(Broken())
        callback.on_epoch_end(0, {})
        callback.on_epoch_end(1, {})
    assert len(warned) == 1
    assert "Broken" in warned[0]


def test_losses_that_layers_add_count():
    inputs = keras.Input((4, 4, 1))
    network = keras.Model(inputs, keras.layers.Conv2D(2, 1, kernel_regularizer="l2", name="logits")(inputs))
    weighting = WeightingLayer(WeightingSpec(("zero",), (1.0,)))
    task = SegmentationTask(network, {"zero": lambda labels, logits: keras.ops.sum(logits) * 0}, weighting)
    images = np.ones((1, 4, 4, 1), np.float32)
    expected = float(0.01 * np.square(np.array(network.get_layer("logits").kernel)).sum())
    assert float(task.compute_loss(images, images[..., 0], network(images))) == pytest.approx(expected, rel=1e-5)


def test_losses_reach_the_weighting_in_float32_under_mixed_precision(tmp_path, monkeypatch):
    from marsseg_plugins.weightings.fixed import Fixed

    seen = []

    class Spy(WeightingLayer):
        def call(self, losses):
            seen.append(keras.backend.standardize_dtype(losses.dtype))
            return super().call(losses)

    monkeypatch.setattr(Fixed, "build", lambda self, spec: Spy(spec))
    run(tmp_path, precision="mixed_float16")
    assert set(seen) == {"float32"}


def test_a_weighting_that_builds_no_weighting_layer_is_named(tmp_path, monkeypatch):
    from marsseg_plugins.weightings.fixed import Fixed

    monkeypatch.setattr(Fixed, "build", lambda self, spec: keras.layers.Dense(1))
    with pytest.raises(PluginError, match=r"weighting 'fixed'.*builds a Dense"):
        run(tmp_path)


def test_a_folder_does_not_hide_the_recipe_of_the_same_name(tmp_path, cli):
    (tmp_path / "report").mkdir()
    assert cli("run", "--plan", "report", "--dry-run").code == 0


@pytest.mark.parametrize("backend", ["nonsense", "torch"])
def test_in_python_a_refused_backend_leaves_no_folder(tmp_path, monkeypatch, backend):
    monkeypatch.setattr(startup, "chosen_backend", lambda: backend)
    with pytest.raises(RequestError, match=backend):
        run(tmp_path)
    with pytest.raises(RequestError, match=backend):
        marsseg.series(out=tmp_path / "run", seeds=2, **WORDS)
    assert not (tmp_path / "run").exists()


def test_a_missing_backend_is_one_error(marsseg):
    answer = marsseg("run", "--epochs", "1", KERAS_BACKEND="nonsense")
    assert answer.code == 2
    assert "KERAS_BACKEND" in answer.err
    assert "Traceback" not in answer.err


def test_a_distribution_without_metadata_causes_no_failure(tmp_path, python):
    folder = tmp_path / "path" / "bad-1.0.dist-info"
    folder.mkdir(parents=True)
    (folder / "entry_points.txt").write_text("[marsseg.losses]\nodd = odd:Odd\n")
    code = "import sys; sys.path.insert(0, sys.argv.pop(1)); from marsseg_core.cli.main import main; main()"
    answer = python(code, str(tmp_path / "path"), "list", "loss")
    assert answer.code == 0, answer.err
    assert "odd" in answer.out


def test_a_misspelt_parameter_of_an_architecture_is_named(cli):
    answer = cli("show", "unet:widht=3")
    assert answer.code == 2
    assert "'width'" in answer.err


def test_an_option_given_twice_is_refused(cli):
    answer = cli("run", "--arch", "unet", "--epochs", "3", "--arch=dense", "--dry-run")
    assert answer.code == 2
    assert "--arch is used twice" in answer.err
    assert cli("run", "--set", "training.epochs=3", "--set", "training.batch=2", "--dry-run").code == 0


def test_a_callback_that_ends_the_process_is_named_and_not_called_again():
    class Leaving(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            sys.exit(5)

    with warnings_told() as warned:
        callback = GuardedCallback(Leaving())
        callback.on_train_begin()
        callback.on_train_begin()
    (line,) = warned
    assert "Leaving" in line
    assert line.endswith("failed in on_train_begin and is not called again: SystemExit: 5")


def test_ctrl_c_in_a_callback_stops_the_training():
    class Slow(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), no_warning():
        GuardedCallback(Slow()).on_train_begin()


@pytest.mark.parametrize("change", [lambda record: record.update(mood=1.0), lambda record: record.pop("val_miou")])
def test_an_observer_cannot_change_the_history_through_its_record(tmp_path, monkeypatch, change):
    @hookimpl
    def marsseg_epoch_finished(record):
        change(record)

    monkeypatch.setattr(progress, "marsseg_epoch_finished", marsseg_epoch_finished)
    done = run(tmp_path, epochs=2)
    rows = (tmp_path / "run" / "history.csv").read_text().splitlines()
    assert len(rows) == 3
    assert all(record["val_miou"] is not None and "mood" not in record for record in done.history)
    assert "mood" not in rows[0]
    assert "val_miou" in rows[0]
