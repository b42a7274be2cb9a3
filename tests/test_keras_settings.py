"""Keras' global settings (keras.json, environment variables, a notebook's) change no result and come back unchanged."""

from __future__ import annotations

import builtins
import csv
import hashlib
import json
import random
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import keras
import numpy as np
import pytest

import marsseg_core as marsseg
from marsseg_core import api
from marsseg_core.networks.build import build_network
from marsseg_core.networks.keras_backend.settings import clear_session, fixed_settings, precision
from marsseg_core.testing import ArchitectureContract, LossContract

pytestmark = pytest.mark.usefixtures("without_reports")

ARCH = "unet:width=0.125:depth=1:convolutions=1"
WORDS = {"data": "synthetic:count=24:height=16:width=32", "batch": 4, "epochs": 2}

# As a user may have them, in keras.json or by `keras.config`.
THEIRS = {"floatx": "float16", "image_data_format": "channels_first", "epsilon": 1e-3}


def settings():
    read = {name: getattr(keras.config, name)() for name in (*THEIRS, "max_epochs", "max_steps_per_epoch")}
    return read | {"dtype_policy": keras.config.dtype_policy().name}


def write(values):
    for name, value in values.items():
        getattr(keras.config, f"set_{name}")(value)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Trained before anything was set."""
    return marsseg.run(arch=ARCH, bottleneck="aspp", out=tmp_path_factory.mktemp("settings") / "run", **WORDS)


@pytest.fixture
def theirs():
    """Settings of the user in this process, which are the same afterwards."""
    before = settings()
    wanted = before | THEIRS | {"dtype_policy": "mixed_float16", "max_epochs": 1, "max_steps_per_epoch": 1}
    write(wanted)
    try:
        yield
        assert settings() == wanted
    finally:
        write(before)


def history(path):
    with (path / "history.csv").open() as file:
        return [{key: row[key] for key in row if "second" not in key} for row in csv.DictReader(file)]


def same_files(one, other):
    assert history(one) == history(other)
    assert (one / "metrics.json").read_text() == (other / "metrics.json").read_text()


@pytest.mark.usefixtures("theirs")
class TestUnderTheirSettings:
    def test_a_network_is_built_for_channels_last_in_float32(self):
        network = marsseg.network(ARCH, bottleneck="aspp", height=16, width=32)
        assert network.output_shape == (None, 16, 32, 5)
        assert {weight.dtype for weight in network.weights} == {"float32"}
        assert {layer.compute_dtype for layer in network.layers} == {"float32"}

    def test_a_run_has_the_same_history_scores_and_weights(self, run, tmp_path):
        other = marsseg.run(arch=ARCH, bottleneck="aspp", out=tmp_path / "run", **WORDS)
        same_files(run.path, other.path)
        for weight, expected in zip(other.network.weights, run.network.weights, strict=True):
            np.testing.assert_array_equal(weight, expected)
        recorded = json.loads((other.path / "environment.json").read_text())["keras"]
        assert recorded == {
            "floatx": "float32",
            "image_data_format": "channels_last",
            "epsilon": 1e-7,
            "max_epochs": None,
            "max_steps_per_epoch": None,
        }

    def test_a_series_leaves_them_too(self, tmp_path):
        marsseg.series(arch=ARCH, bottleneck="none", seeds=2, out=tmp_path / "series", **WORDS | {"epochs": 1})

    def test_load_predict_and_evaluate_give_the_same(self, run):
        images = run.data.images[:3]
        loaded = marsseg.load(run.path)
        for weight, expected in zip(loaded.weights, run.network.weights, strict=True):
            assert weight.dtype == "float32"
            np.testing.assert_array_equal(weight, expected)
        found = next(marsseg.predict(run.path, images, probabilities=True))
        with fixed_settings():
            expected = keras.ops.softmax(run.network.predict_on_batch(images[:1] / np.float32(255)))[0]
        np.testing.assert_allclose(found, expected, atol=1e-6)
        assert marsseg.evaluate(run.path).to_json() == run.metrics["subsets"]["test"]

    @pytest.mark.parametrize("name", ["wssce", "dice", "focal", "lovasz"])
    def test_a_loss_has_the_same_value(self, name):
        numbers = np.random.default_rng(0)
        labels = numbers.integers(0, 5, (2, 8, 8)).astype(np.uint8)
        logits = keras.ops.convert_to_tensor(numbers.normal(size=(2, 8, 8, 5)).astype(np.float32))
        value = marsseg.loss(name)(labels, logits)
        with fixed_settings():
            expected = marsseg.loss(name)(labels, logits)
        assert keras.backend.standardize_dtype(value.dtype) == "float32"
        assert float(value) == float(expected)

    def test_show_builds_draws_and_measures(self, cli):
        built = json.loads(cli("show", ARCH, "--build", "--plot", "net.png", "--json").out)["components"][0]["built"]
        assert built["output_shape"] == [64, 128, 5]

    def test_a_run_on_the_command_line(self, cli, run):
        words = ["--data", WORDS["data"], "--batch", "4", "--epochs", "2", "--out", "again"]
        answer = cli("run", "--arch", ARCH, "--bottleneck", "aspp", *words)
        assert answer.code == 0, answer.err
        same_files(run.path, Path("again"))

    def test_predict_and_evaluate_on_the_command_line(self, cli, run):
        expected = f"{run.metrics['subsets']['test']['miou']:.4f}"
        assert expected in cli("evaluate", str(run.path)).out
        answer = cli("predict", str(run.path), WORDS["data"], "--out", "masks")
        assert answer.code == 0, answer.err


class TestContractsUnderTheirSettings:
    """A component is checked as a run uses it."""

    @pytest.mark.parametrize(
        ("contract", "name"),
        [pytest.param(ArchitectureContract, ARCH, marks=pytest.mark.slow), (LossContract, "dice")],
    )
    def test_they_pass(self, contract, name, python_with_keras):
        code = f"""
import keras, pytest, sys
from pathlib import Path
keras.config.set_floatx("float16"); keras.config.set_image_data_format("channels_first")
keras.config.set_epsilon(1e-3); keras.config.set_dtype_policy("mixed_float16")
Path("test_one.py").write_text('''
from marsseg_core.registry import kinds
from marsseg_core.planning.grammar import components
from marsseg_core.plugin_api import installed
from marsseg_core.testing import {contract.__name__}

class TestOne({contract.__name__}):
    component = components(kinds.{contract.__name__.removesuffix("Contract").upper()}, "{name}", installed())[0]
''')
Path("pytest.ini").write_text("[pytest]\\nmarkers =\\n    slow: x\\n")
sys.exit(pytest.main(["-q", "-x", "-m", "not slow", "-p", "no:cacheprovider", "-c", "pytest.ini", "test_one.py"]))
"""
        answer = python_with_keras(code)
        assert answer.code == 0, answer.out + answer.err


# --- keras.json itself, and environment variables

TRAIN = """
import hashlib, sys
import numpy as np
import marsseg_core as marsseg
words = {"arch": sys.argv[2], "bottleneck": "none", "data": sys.argv[3], "batch": 4, "epochs": 2}
run = marsseg.run(out=sys.argv[1], **words)
weights = b"".join(np.asarray(weight).tobytes() for weight in run.network.weights)
masks = b"".join(mask.tobytes() for mask in marsseg.predict(run.path, run.data.images))
history = [{key: row[key] for key in row if key != "seconds"} for row in run.history]
print(history, run.metrics, hashlib.sha256(weights + masks).hexdigest())
print(marsseg.network(sys.argv[2], height=16, width=32).output_shape)
"""


@pytest.mark.slow
def test_no_keras_json_and_no_variable_changes_a_training(python, tmp_path):
    def trained(name, configuration, **environment):
        home = tmp_path / f"home-{name}"
        home.mkdir()
        if configuration is not None:
            (home / "keras.json").write_text(json.dumps(configuration))
        out = tmp_path / f"run-{name}"
        environment |= {"KERAS_HOME": str(home), "MARSSEG_DISABLE": "report"}
        answer = python(TRAIN, str(out), ARCH, WORDS["data"], **environment)
        assert answer.code == 0, answer.err
        return answer.out

    expected = trained("none", None)
    assert trained("theirs", THEIRS) == expected
    assert trained("float64", {"floatx": "float64"}) == expected
    assert trained("limits", {}, KERAS_MAX_EPOCHS="1", KERAS_MAX_STEPS_PER_EPOCH="1") == expected


# --- threads


def test_settings_come_back_in_whatever_order_threads_leave(theirs):
    before = settings()
    entered, left, seen = threading.Event(), threading.Event(), []

    def second():
        with fixed_settings():
            entered.set()
            assert left.wait(60)
            seen.append(settings())

    with ThreadPoolExecutor(1) as threads:
        with fixed_settings():
            future = threads.submit(second)
            assert entered.wait(60)
        left.set()
        future.result(60)
    assert seen[0] | {"dtype_policy": None} == {
        "floatx": "float32",
        "image_data_format": "channels_last",
        "epsilon": 1e-7,
        "max_epochs": None,
        "max_steps_per_epoch": None,
        "dtype_policy": None,
    }
    assert settings() == before


# A network that lets another thread in between its layers, if that can come in.
GATED = """
import builtins
from dataclasses import dataclass

import keras

from marsseg_core.plugin_api import Architecture


@dataclass(frozen=True)
class Gated(Architecture):
    \"\"\"Two convolutions.\"\"\"

    def build(self, spec):
        started, other_has_built = builtins.marsseg_gates
        inputs = keras.Input((spec.height, spec.width, spec.channels))
        features = keras.layers.Conv2D(4, 3, padding="same")(inputs)
        started.set()
        other_has_built.wait(1)
        return keras.Model(inputs, keras.layers.Conv2D(spec.num_classes, 1, dtype="float32")(features))
"""


@pytest.fixture
def gated(tmp_path, monkeypatch):
    """A plan with that network, and its gates."""
    gates = threading.Event(), threading.Event()
    monkeypatch.setattr(builtins, "marsseg_gates", gates, raising=False)
    (tmp_path / "gated.py").write_text(GATED)
    return api.plan(arch="gated", bottleneck="none", plugins=[tmp_path / "gated.py"]), *gates


def drawn(network):
    return hashlib.sha256(b"".join(np.asarray(weight).tobytes() for weight in network.weights)).hexdigest()


def test_two_threads_that_build_draw_the_weights_of_their_own_seeds(gated):
    plan, started, other_has_built = gated
    other = api.plan(arch=ARCH, bottleneck="none", seed=7)
    other_has_built.set()
    expected = [drawn(build_network(each, (16, 32, 1), 5)) for each in (plan, other)]
    started.clear()
    other_has_built.clear()
    with ThreadPoolExecutor(1) as threads:
        one = threads.submit(build_network, plan, (16, 32, 1), 5)
        assert started.wait(60)
        second = build_network(other, (16, 32, 1), 5)
        other_has_built.set()
        assert [drawn(one.result(60)), drawn(second)] == expected


def test_a_session_is_not_cleared_while_another_thread_builds():
    """The dtype policy of a thread is in Keras' session."""
    inside, found = threading.Event(), []

    def build():
        with precision("mixed_float16"):
            inside.set()
            cleared.wait(1)
            found.append(keras.layers.Dense(1).dtype_policy.name)

    cleared = threading.Event()
    with ThreadPoolExecutor(1) as threads:
        future = threads.submit(build)
        assert inside.wait(60)
        clear_session()
        cleared.set()
        future.result(60)
    assert found == ["mixed_float16"]


def test_two_threads_that_load_get_what_they_asked_for(run, tmp_path):
    other = marsseg.run(
        arch="unet:width=0.125:depth=2", bottleneck="none", out=tmp_path / "other", **WORDS | {"epochs": 1}
    )
    paths = [run.path, other.path]
    image = run.data.images[:1] / np.float32(255)
    expected = [np.asarray(each.network(image)) for each in (run, other)]
    together = threading.Barrier(2)

    def load(path):
        together.wait(60)
        return np.asarray(marsseg.load(path)(image))

    for _ in range(3):
        with ThreadPoolExecutor(2) as threads:
            for found, wanted in zip(threads.map(load, paths), expected, strict=True):
                np.testing.assert_array_equal(found, wanted)


@pytest.mark.slow
def test_two_threads_that_train_get_what_each_gets_alone(run, tmp_path):
    other = {"arch": ARCH, "bottleneck": "none", "seed": 7, "precision": "mixed_bfloat16", **WORDS}
    expected = marsseg.run(out=tmp_path / "alone", **other)
    with ThreadPoolExecutor(2) as threads:
        one = threads.submit(marsseg.run, arch=ARCH, bottleneck="aspp", out=tmp_path / "one", **WORDS)
        two = threads.submit(marsseg.run, out=tmp_path / "two", **other)
        same_files(one.result().path, run.path)
        same_files(two.result().path, expected.path)


# --- random numbers


def test_a_run_does_not_seed_what_others_draw(tmp_path):
    """A search that draws a rate, trains, and draws the next would draw the same rate each time."""
    random.seed(3)
    np.random.seed(3)
    expected = random.random(), np.random.random()
    random.seed(3)
    np.random.seed(3)
    marsseg.run(arch=ARCH, bottleneck="none", out=tmp_path / "run", **WORDS | {"epochs": 1})
    assert (random.random(), np.random.random()) == expected


def test_building_to_look_does_not_seed_what_others_draw(cli):
    random.seed(3)
    expected = random.random()
    random.seed(3)
    assert cli("show", ARCH, "--build").code == 0
    assert random.random() == expected
