"""A whole run, from its plan to its run folder."""

import csv
import json
import os
import subprocess
import sys
import tomllib
from types import SimpleNamespace

import keras
import numpy as np
import pytest

import marsseg_core as marsseg
from marsseg_core import api, hooks
from marsseg_core.data.arrays import SegmentationData
from marsseg_core.data.batches import TrainingBatches
from marsseg_core.data.split import Split
from marsseg_core.data.splits import split_data
from marsseg_core.errors import RequestError, RunError
from marsseg_core.files.run_folder import RunFolder
from marsseg_core.hooks import HookCaller, load_hooks
from marsseg_core.networks.build import build_network
from marsseg_core.planning.resolver import resolve
from marsseg_core.registry import kinds
from marsseg_core.registry.session import open_session
from marsseg_core.training import loop
from marsseg_core.training.assembly import build_task
from marsseg_core.training.callbacks import Scoring
from marsseg_core.training.checkpoint import TrainingProgress, load_checkpoint, save_checkpoint
from marsseg_core.training.objective import build_objective

SMALL = {
    "arch": "unet:width=0.125:depth=1:convolutions=1:dropout=0.2",
    "data": "synthetic:count=24:height=16:width=32",
    "batch": 4,
    "learning_rate": 0.01,
}


@pytest.fixture(autouse=True)
def without_observers(finished, monkeypatch):
    """Runs draw no figures here, except the run `finished`."""
    monkeypatch.setattr(hooks, "load_hooks", lambda observers: load_hooks(observers=[]))


def small_run(out, **words):
    """A run that takes a second or two."""
    return marsseg.run(out=out, **(SMALL | {"epochs": 2} | words))


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    return small_run(tmp_path_factory.mktemp("runs") / "finished")


def weights(run):
    return marsseg.load(run.path).get_weights()


def assert_same_weights(first, second):
    assert len(first) == len(second)
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a, b)


class TestRunFolder:
    def test_has_all_files_of_a_run(self, finished):
        names = {str(path.relative_to(finished.path)) for path in finished.path.rglob("*") if path.is_file()}
        assert names == {
            "plan.toml",
            "split.json",
            "environment.json",
            "history.csv",
            "metrics.json",
            "manifest.json",
            "network.keras",
            "checkpoint/last.npz",
            "figures/learning_curves.png",
            "figures/confusion_matrix.png",
            "figures/tiles.png",
            "report.html",
            "log.txt",
        }

    def test_plan_is_resolved_and_reads_back(self, finished):
        document = tomllib.loads((finished.path / "plan.toml").read_text())
        assert document["arch"]["name"] == "unet"
        assert document["arch"]["distribution"] == "marsseg"
        assert document["arch"]["version"] == marsseg.version()
        again = api.plan(finished.path)
        assert again.to_toml() == finished.plan.to_toml()

    def test_metrics_hold_no_times_and_no_paths(self, finished):
        text = (finished.path / "metrics.json").read_text()
        assert str(finished.path) not in text
        metrics = json.loads(text)
        assert set(metrics) == {"schema", "status", "epochs", "best_epoch", "best_by", "subsets"}
        assert metrics["status"] == "finished"
        assert set(metrics["subsets"]) == {"validation", "test"}

    def test_history_has_a_line_for_each_epoch(self, finished):
        with (finished.path / "history.csv").open() as file:
            rows = list(csv.DictReader(file))
        assert [row["epoch"] for row in rows] == ["1", "2"]
        assert {"loss", "val_loss", "val_miou", "val_iou_big_rock", "learning_rate"} <= set(rows[0])

    def test_best_network_is_the_one_with_the_best_validation_miou(self, finished):
        scores = [record["val_miou"] for record in finished.history]
        assert finished.best_epoch == 1 + int(np.argmax(scores))
        assert finished.metrics["subsets"]["validation"]["miou"] == pytest.approx(max(scores))

    def test_split_and_fingerprint_are_recorded(self, finished):
        recorded = json.loads((finished.path / "split.json").read_text())
        assert Split.from_json(recorded) == finished.split
        assert recorded["fingerprint"] == finished.data.fingerprint()

    def test_report_page_needs_no_other_file(self, finished):
        page = (finished.path / "report.html").read_text()
        assert finished.split_summary in page
        assert page.count("data:image/png;base64,") == 3
        assert "http" not in page

    def test_the_command_prints_the_scores_and_names_the_page(self, finished, cli, monkeypatch):
        monkeypatch.setattr(loop, "execute", lambda *_, **__: finished)
        answer = cli("run", "--data", SMALL["data"])
        assert f"{finished.path}: network of epoch {finished.best_epoch} of 2\n" in answer.out
        assert f"Curves, scores and images, as a page: {finished.path / 'report.html'}\n" in answer.out
        rows = [line.split("\t")[0] for line in answer.out.splitlines()]
        assert {"miou", "miou_an2dl", "miou_all"} < {*rows}
        monkeypatch.setattr(finished, "data", SimpleNamespace(ignore_classes=()))
        rows = [line.split("\t")[0] for line in cli("run", "--data", SMALL["data"]).out.splitlines()]
        assert [row for row in rows if row.startswith("miou")] == ["miou", "miou_per_image"]

    def test_no_temporary_files_are_left(self, finished):
        assert not list(finished.path.rglob(".*"))

    def test_existing_folder_is_never_taken(self, finished):
        with pytest.raises(RequestError, match="exists"):
            small_run(finished.path)


class TestLoading:
    def test_in_a_fresh_process_gives_the_same_logits(self, finished, tmp_path, python_with_keras):
        images = finished.data.images[:3].astype("float32") / 255
        np.save(tmp_path / "images.npy", images)
        code = (
            "import sys, numpy as np, marsseg_core as marsseg;"
            "network = marsseg.load(sys.argv[1]);"
            "np.save(sys.argv[3], network.predict_on_batch(np.load(sys.argv[2])))"
        )
        arguments = [finished.path, tmp_path / "images.npy", tmp_path / "logits.npy"]
        answer = python_with_keras(code, *map(str, arguments))
        assert answer.code == 0, answer.err
        np.testing.assert_array_equal(np.load(tmp_path / "logits.npy"), finished.network.predict_on_batch(images))

    def test_network_file_does_not_hold_the_task(self, finished):
        network = keras.saving.load_model(finished.path / "network.keras")
        assert type(network).__name__ == "Functional"
        assert not network.compiled

    def test_a_folder_that_is_no_run_is_refused(self, tmp_path):
        with pytest.raises(RequestError, match="not a run folder"):
            marsseg.load(tmp_path)


class TestReproducibility:
    def test_same_plan_and_seed_give_the_same_numbers(self, finished, tmp_path):
        again = small_run(tmp_path / "again")
        assert (again.path / "metrics.json").read_bytes() == (finished.path / "metrics.json").read_bytes()
        assert_same_weights(weights(again), weights(finished))

    def test_workers_change_nothing(self, finished, tmp_path):
        four = small_run(tmp_path / "four", workers=4)
        assert (four.path / "metrics.json").read_bytes() == (finished.path / "metrics.json").read_bytes()
        assert_same_weights(weights(four), weights(finished))

    def test_another_seed_gives_other_weights_on_the_same_split(self, finished, tmp_path):
        other = small_run(tmp_path / "other", seed=1)
        assert other.split == finished.split
        assert any((a != b).any() for a, b in zip(weights(other), weights(finished), strict=True))


class TestInterruption:
    class _CtrlC(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if self.armed:
                raise KeyboardInterrupt

        def on_epoch_end(self, epoch, logs=None):
            self.armed = True

        armed = False

    def interrupted(self, monkeypatch, out, armed):
        callback = self._CtrlC()
        callback.armed = armed

        call = HookCaller.__call__

        def with_ctrl_c(caller, name, **arguments):
            return [[callback]] if name == "marsseg_callbacks" else call(caller, name, **arguments)

        monkeypatch.setattr(hooks, "load_hooks", load_hooks)
        monkeypatch.setattr(HookCaller, "__call__", with_ctrl_c)
        return small_run(out, epochs=5)

    def test_keeps_the_best_network_and_does_not_score_the_test_subset(self, monkeypatch, tmp_path):
        run = self.interrupted(monkeypatch, tmp_path / "run", armed=False)
        assert run.interrupted
        assert len(run.history) == 1
        metrics = json.loads((run.path / "metrics.json").read_text())
        assert metrics["status"] == "interrupted"
        assert set(metrics["subsets"]) == {"validation"}
        assert "interrupted" in (run.path / "report.html").read_text().lower()
        assert marsseg.load(run.path).count_params() == run.network.count_params()

    def test_before_the_first_epoch_leaves_a_complete_folder_without_a_network(self, monkeypatch, tmp_path):
        run = self.interrupted(monkeypatch, tmp_path / "run", armed=True)
        assert run.interrupted
        assert json.loads((run.path / "metrics.json").read_text())["subsets"] == {}
        with pytest.raises(RequestError, match="no network"):
            marsseg.load(run.path)


class TestFailure:
    def test_a_loss_that_is_not_finite_names_epoch_and_batch(self, tmp_path):
        with pytest.raises(RunError, match=r"epoch \d+, batch \d+") as error:
            small_run(tmp_path / "run", learning_rate=1e30, epochs=3)
        assert "learning rate" in error.value.hint

    def test_full_disk_is_one_error_and_leaves_only_whole_files(self, tmp_path, python_with_keras):
        # A limit on the size of files stands for a full disk: the small files fit, the network does not.
        code = (
            "import resource, sys;"
            "from marsseg_core.cli.main import main;"
            "resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000));"
            "sys.argv = ['marsseg', 'run', *sys.argv[1:]];"
            "main()"
        )
        out = tmp_path / "run"
        words = ["--arch", "unet:width=0.25:depth=2", "--epochs", "1", "--out", str(out), "--data", SMALL["data"]]
        result = python_with_keras(code, *words)
        assert result.code == 1, result.err
        assert "Error: network.keras cannot be written" in result.err
        assert "Traceback" not in result.err
        assert {path.name for path in out.rglob("*")} == {
            "plan.toml",
            "split.json",
            "environment.json",
            "manifest.json",
            "log.txt",
        }
        json.loads((out / "split.json").read_text())


class TestTraining:
    def test_lowers_the_loss(self, tmp_path):
        run = small_run(tmp_path / "run", epochs=6)
        assert run.history[-1]["loss"] < 0.8 * run.history[0]["loss"]

    def test_early_stopping_watches_the_monitored_column(self, tmp_path):
        # With such a small learning rate, the score does not become better.
        run = small_run(tmp_path / "run", epochs=6, learning_rate=1e-12, patience=1, monitor="val_accuracy")
        assert len(run.history) < 6

    def test_plateau_lowers_the_learning_rate(self, tmp_path):
        run = small_run(
            tmp_path / "run",
            epochs=4,
            learning_rate=1e-5,
            schedule="plateau:patience=1:factor=0.1:min_delta=10:floor=0",
        )
        assert run.history[-1]["learning_rate"] < run.history[0]["learning_rate"]

    def test_plateau_warms_up_first_where_requested(self, tmp_path):
        run = small_run(tmp_path / "run", epochs=4, learning_rate=0.01, schedule="plateau:warmup=2")
        rates = [record["learning_rate"] for record in run.history]
        assert rates == pytest.approx([0.01 / 3, 0.02 / 3, 0.01, 0.01])

    def test_a_score_that_the_data_does_not_have_is_named(self, tmp_path):
        with pytest.raises(RequestError, match=r"no column 'val_iou_lava' to monitor.*val_iou_sand"):
            small_run(tmp_path / "run", epochs=2, schedule="plateau:monitor=val_iou_lava")

    def test_a_warm_up_as_long_as_the_training_is_refused(self, tmp_path):
        with pytest.raises(RequestError, match="warm-up"):
            small_run(tmp_path / "run", epochs=2, schedule="plateau:warmup=2")

    def test_scores_the_training_subset_on_request(self, tmp_path):
        run = small_run(tmp_path / "run", epochs=1, overrides=["training.score_training=true"])
        assert 0 <= run.history[0]["miou"] <= 1

    @pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
    def test_mixed_precision_trains_with_float32_logits(self, tmp_path, precision):
        run = small_run(tmp_path / "run", precision=precision)
        assert run.network.output.dtype == "float32"
        assert run.network.get_layer("encoder1_conv1").compute_dtype == precision.removeprefix("mixed_")
        assert np.isfinite([record["loss"] for record in run.history]).all()
        assert keras.config.dtype_policy().name == "float32"

    def test_several_losses_are_summed_with_their_weights(self, tmp_path):
        run = small_run(tmp_path / "run", epochs=1, loss="ssce,wssce:weight=0.5")
        record = run.history[0]
        assert record["val_loss"] == pytest.approx(record["val_loss_ssce"] + 0.5 * record["val_loss_wssce"], rel=1e-5)


class TestObjective:
    def test_validation_loss_is_the_training_objective(self, finished):
        """Scoring reports the value of `compute_loss` for a subset."""
        plan = finished.plan
        network = build_network(plan, finished.data.images.shape[1:], 5)
        task = build_task(plan, network, build_objective(plan, finished.data, finished.split))
        items = finished.split["validation"][:2]
        scoring = Scoring(finished.data, items, batch=2)
        scoring.set_model(task)
        logs = {}
        task.compile(optimizer="sgd")
        scoring.on_epoch_end(0, logs)
        images = finished.data.images[items].astype("float32") / 255
        masks = finished.data.masks[items]
        expected = task.compute_loss(images, masks, network(images), training=False)
        assert logs["val_loss"] == pytest.approx(float(expected), rel=1e-5)

    def test_class_weights_are_computed_from_the_training_subset_only(self):
        masks = np.full((10, 4, 4), 1, np.uint8)
        masks[8:] = 2
        data = SegmentationData(np.zeros((10, 4, 4, 1), np.uint8), masks, ("a", "b", "c"), (0,))
        split = Split(train=tuple(range(8)), validation=(8,), test=(9,))
        seen = []
        plan = api.plan(arch=SMALL["arch"], loss="ssce")
        original = type(plan.one(kinds.LOSS)).build
        try:
            type(plan.one(kinds.LOSS)).build = lambda self, spec: seen.append(spec) or original(self, spec)
            network = build_network(plan, data.images.shape[1:], data.num_classes)
            build_task(plan, network, build_objective(plan, data, split))
        finally:
            type(plan.one(kinds.LOSS)).build = original
        assert seen[0].class_frequencies == (0, 8 * 16, 0)


class TestCheckpoint:
    """A training that continues from a checkpoint ends like one that never stopped."""

    def train(self, run, epochs, start=None):
        plan = run.plan
        network = build_network(plan, run.data.images.shape[1:], 5)
        task = build_task(plan, network, build_objective(plan, run.data, run.split))
        batches = TrainingBatches(run.data, run.split["train"], [], batch=4, seed=0)
        task.compile(optimizer=keras.optimizers.AdamW(0.01))
        task.optimizer.build(task.trainable_variables)
        begin = load_checkpoint(start, task).epoch if start else 0
        for epoch in range(begin, epochs):
            batches.epoch = epoch
            for index in range(len(batches)):
                task.train_on_batch(*batches[index])
        return task

    def test_has_weights_optimizer_and_dropout(self, finished, tmp_path):
        halfway = self.train(finished, 1)
        path = tmp_path / "last.npz"
        save_checkpoint(path, halfway, TrainingProgress(1, [], None, None, {}))
        resumed = self.train(finished, 2, start=path)
        whole = self.train(finished, 2)
        assert_same_weights(resumed.network.get_weights(), whole.network.get_weights())

    def test_has_progress_and_callback_states(self, tmp_path):
        run = small_run(tmp_path / "run", patience=3)
        task = self.train(run, 0)
        progress = load_checkpoint(run.folder.checkpoint, task)
        assert progress.epoch == 2
        assert progress.history == run.history
        assert progress.best_epoch == run.best_epoch
        states = {name.partition("_")[2]: state for name, state in progress.callbacks.items()}
        assert {"wait", "best"} <= set(states["EarlyStopping"])
        assert {"wait", "cooldown_counter"} <= set(states["PlateauAfterWarmUp"])

    def test_of_another_network_is_refused(self, finished, tmp_path):
        other = small_run(tmp_path / "run", arch="unet:width=0.25:depth=1", epochs=1)
        with pytest.raises(RequestError, match="another network"):
            self.train(other, 1, start=finished.folder.checkpoint)

    def test_broken_is_refused(self, finished, tmp_path):
        path = tmp_path / "last.npz"
        path.write_bytes(finished.folder.checkpoint.read_bytes()[:1000])
        with pytest.raises(RequestError, match="cannot be read"):
            self.train(finished, 1, start=path)


class TestBatches:
    @pytest.fixture
    def data(self):
        return marsseg.dataset("synthetic", count=11, height=8, width=8)

    def epoch(self, data, number, **options):
        augmentations = [
            (subset.component.apply, 0.5) for subset in api.plan(augment="hflip").resolved[kinds.AUGMENTATION]
        ]
        batches = TrainingBatches(data, np.arange(11), augmentations, **({"batch": 4, "seed": 0} | options))
        batches.epoch = number
        return [batches[i] for i in range(len(batches))]

    def test_a_short_last_batch_is_dropped(self, data):
        assert [len(images) for images, _ in self.epoch(data, 0)] == [4, 4]

    def test_fewer_images_than_a_batch_make_one(self, data):
        assert [len(images) for images, _ in self.epoch(data, 0, batch=50)] == [11]

    def test_images_are_in_0_to_1_and_masks_are_labels(self, data):
        for images, masks in self.epoch(data, 0):
            assert images.dtype == np.float32
            assert images.min() >= 0
            assert images.max() <= 1
            assert set(np.unique(masks)) <= set(range(5)) | {255}

    def test_the_augmentation_of_an_image_depends_on_seed_epoch_and_image_only(self, data):
        """It does not depend on the batch."""

        def flipped(batch):
            is_flipped = {}
            for images, _ in self.epoch(data, 3, batch=batch):
                for image in images:
                    for item in range(11):
                        original = data.images[item] / np.float32(255)
                        if np.array_equal(image, original) or np.array_equal(image, original[:, ::-1]):
                            is_flipped[item] = not np.array_equal(image, original)
            return is_flipped

        by_four, by_eleven = flipped(4), flipped(11)
        assert len(by_eleven) == 11
        assert set(by_eleven.values()) == {True, False}
        assert all(by_eleven[item] == value for item, value in by_four.items())

    def test_epochs_and_seeds_differ(self, data):
        first = self.epoch(data, 0)[0][0]
        assert not np.array_equal(first, self.epoch(data, 1)[0][0])
        assert not np.array_equal(first, self.epoch(data, 0, seed=1)[0][0])
        np.testing.assert_array_equal(first, self.epoch(data, 0)[0][0])


def test_report_recipe_has_exactly_the_published_parameters():
    plan = api.plan("report")
    data = SegmentationData(
        np.zeros((3, 64, 128, 1), np.uint8), np.ones((3, 64, 128), np.uint8), ("background", *"abcd"), (0,)
    )
    network = build_network(plan, data.images.shape[1:], data.num_classes)
    assert network.count_params() == 20_323_914
    assert sum(int(np.prod(weight.shape)) for weight in network.trainable_weights) == 20_320_074


def test_python_interface_builds_everything_by_name():
    data = marsseg.dataset("synthetic", count=8, height=16, width=32)
    network = marsseg.network(
        "dense:width=0.125:depth=1:convolutions=1", bottleneck="transformer:layers=1,aspp", height=16, width=32
    )
    network.compile(optimizer="adam", loss=marsseg.loss("wssce"))
    images = data.images.astype("float32") / 255
    history = network.fit(images, data.masks, epochs=2, batch_size=4, verbose=0)
    assert np.isfinite(history.history["loss"]).all()
    assert network.predict_on_batch(images).shape == (8, 16, 32, 5)


def test_jax_trains_and_scores_without_tensorflow(tmp_path):
    pytest.importorskip("jax")
    code = (
        "import sys, marsseg_core as marsseg;"
        f"run = marsseg.run(out=sys.argv[1], epochs=1, batch=4, arch={SMALL['arch']!r}, data={SMALL['data']!r});"
        "marsseg.load(run.path);"
        "print(run.metrics['subsets']['test']['miou']);"
        "assert 'tensorflow' not in sys.modules"
    )
    environment = os.environ | {"KERAS_BACKEND": "jax"}
    result = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "run")], capture_output=True, text=True, env=environment
    )
    assert result.returncode == 0, result.stderr
    assert 0 <= float(result.stdout) <= 1
    recorded = json.loads((tmp_path / "run" / "environment.json").read_text())
    assert recorded["backend"] == "jax"


@pytest.mark.slow
def test_real_tiles_train(real_tiles, tmp_path):
    """One epoch on real data beats the majority class (mIoU 0.12 to 0.13), and no rover position is in two subsets."""
    words = {"arch": "unet:width=0.125:depth=3", "batch": 16, "learning_rate": 0.003}
    run = small_run(tmp_path / "run", data=str(real_tiles), epochs=1, **words)
    groups = run.data.groups
    subsets = [set(groups[run.split[subset]].tolist()) for subset in ("train", "validation", "test")]
    assert not subsets[0] & subsets[1]
    assert not subsets[0] & subsets[2]
    assert not subsets[1] & subsets[2]
    assert run.metrics["subsets"]["test"]["miou"] > 0.13


def test_plan_of_a_run_can_be_run_again(finished):
    from marsseg_core.planning.request import Request

    plan = resolve(Request(base=str(finished.path), sections={"training": {"seed": 3}}), open_session())
    assert plan.training.seed == 3
    assert plan.one(kinds.ARCHITECTURE) == finished.plan.one(kinds.ARCHITECTURE)


def test_split_data_is_what_a_run_uses(finished):
    plan = finished.plan.split
    assert split_data(finished.data, plan.validation, plan.test, plan.seed) == finished.split
    assert RunFolder.open(finished.path).path == finished.path
