"""`--engine`: another runtime computes the same labels, by a form that is made once and kept beside the run."""

from __future__ import annotations

import json
import re
import shutil

import numpy as np
import pytest
from helpers.paths import FROZEN

import marsseg
from marsseg_core.errors import RequestError
from marsseg_core.export import engine, exporters
from marsseg_core.files.run_folder import RunFolder
from marsseg_core.networks.compiled import CompiledNetwork, compiled
from marsseg_core.registry.catalog import installed

pytest.importorskip("onnxruntime")
pytest.importorskip("tf2onnx")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run whose network is local, so that it also computes larger tiles."""
    return shutil.copytree(FROZEN / "finished", tmp_path_factory.mktemp("runs") / "run")


@pytest.fixture(scope="module")
def global_run(tmp_path_factory):
    """A run whose network takes images of one size."""
    return shutil.copytree(FROZEN / "psp", tmp_path_factory.mktemp("runs") / "psp")


@pytest.fixture(scope="module")
def images():
    generator = np.random.default_rng(0)
    return [generator.integers(0, 256, shape).astype(np.uint8) for shape in ((32, 64), (20, 30), (70, 150))]


@pytest.mark.parametrize("which", ["run", "global_run"])
@pytest.mark.parametrize("options", [{}, {"tta": True, "with_ignored": True}])
def test_labels_are_those_of_keras(request, images, which, options):
    path = request.getfixturevalue(which)
    found = marsseg.predict(path, images, engine="onnxruntime", **options)
    for one, other in zip(found, marsseg.predict(path, images, **options), strict=True):
        assert (one == other).mean() >= 0.9999


def test_the_form_is_made_once(run, images, monkeypatch):
    list(marsseg.predict(run, images[:1], engine="onnxruntime"))
    (file,) = RunFolder.open(run).engines.iterdir()
    assert file.suffix == ".onnx"
    monkeypatch.setattr(engine, "write_checked", lambda *_: pytest.fail("it is made again"))
    assert len(list(marsseg.predict(run, images[:1], engine="onnxruntime"))) == 1


def test_scores_are_those_of_keras(run, monkeypatch):
    expected = marsseg.evaluate(run)
    monkeypatch.setattr(CompiledNetwork, "logits", lambda *_: pytest.fail("Keras computes"))
    found = marsseg.evaluate(run, engine="onnxruntime")
    np.testing.assert_allclose(found.miou, expected.miou, atol=1e-3)


def test_the_commands_take_it(cli, run, tmp_path):
    scored = cli("evaluate", str(run), "--engine", "onnxruntime", "--json")
    assert scored.code == 0, scored.err
    assert json.loads(scored.out)["scores"][0]["images"] == 3
    answer = cli("predict", str(run), str(FROZEN / "photos" / "images"), "--engine", "onnxruntime", "--out", "masks")
    assert answer.code == 0, answer.err
    assert [*(tmp_path / "masks" / "masks").iterdir()]


def test_a_form_without_the_data_of_the_run_is_compared_on_random_images(run, images, tmp_path, caplog):
    moved = shutil.copytree(run, tmp_path / "moved", ignore=shutil.ignore_patterns("engines"))
    plan = moved / "plan.toml"
    plan.write_text(re.sub("count = [0-9]+", "count = 30", plan.read_text()))
    with caplog.at_level("INFO"):
        assert len(list(marsseg.predict(moved, images[:1], engine="onnxruntime"))) == 1
    assert "random images only" in caplog.text


def test_another_network_gets_another_form(run, tmp_path, images):
    copy = shutil.copytree(run, tmp_path / "copy")
    network = marsseg.load(copy)
    network.set_weights([weight + 1 if weight.ndim == 1 else weight for weight in network.get_weights()])
    network.save(copy / "network.keras")
    found = next(marsseg.predict(copy, images[:1], engine="onnxruntime"))
    np.testing.assert_array_equal(found, next(marsseg.predict(copy, images[:1])))
    assert len([*RunFolder.open(copy).engines.iterdir()]) == 2


class TestPrecision:
    @pytest.fixture
    def copy(self, run, tmp_path):
        """The run before any form of it was made."""
        return shutil.copytree(run, tmp_path / "copy", ignore=shutil.ignore_patterns("engines"))

    @pytest.mark.parametrize(
        ("words", "module", "name", "least"),
        [
            ("openvino:precision=bfloat16", "openvino", "openvino-bfloat16", 0.97),
            ("onnxruntime:precision=int8", "onnxruntime", "onnx-int8.onnx", 0.7),
        ],
    )
    def test_another_one_has_a_form_of_its_own_and_says_what_it_costs(
        self, copy, images, caplog, words, module, name, least
    ):
        pytest.importorskip(module)
        with caplog.at_level("INFO"):
            found = list(marsseg.predict(copy, images, engine=words))
        assert re.search(r"miou changes by [+-]0\.\d{4} on the validation subset", caplog.text)
        assert f"{module} computes in {words.rpartition('=')[2]}, Keras in float32" in caplog.text
        for one, other in zip(found, marsseg.predict(copy, images), strict=True):
            assert (one == other).mean() >= least
        (file,) = RunFolder.open(copy).engines.iterdir()
        assert file.name.endswith(f"-{name}")

    def test_its_cost_is_measured_on_the_data_of_the_run(self, copy, images):
        plan = copy / "plan.toml"
        source = '[data]\nname = "npz"\npath = "/gone.npz"\n'
        plan.write_text(re.sub(r"\[data\]\n([^\[].*\n)+", source, plan.read_text()))
        with pytest.raises(RequestError, match="Without them, use --engine onnxruntime, in float32"):
            marsseg.predict(copy, images, engine="onnxruntime:precision=int8")

    @pytest.mark.parametrize(
        ("words", "message"),
        [
            ("onnxruntime:precision=bfloat16", r"'onnx' cannot be written in bfloat16, only in float32 or int8"),
            ("onnxruntime:threads=2", r"'onnxruntime' has no parameter 'threads'.*Its only parameter is 'precision'"),
            ("keras:precision=bfloat16", r"'keras' has no parameter 'precision'.*as the network was trained"),
            ("keras,onnxruntime", r"computed by one engine"),
            ("onnxruntime:int8", r"not of the form key=value"),
        ],
    )
    def test_a_wrong_request_is_refused(self, run, images, words, message):
        with pytest.raises(RequestError, match=message):
            marsseg.predict(run, images, engine=words)


def test_keras_stays_what_it_was(run):
    network = marsseg.load(run)
    assert isinstance(compiled(network), CompiledNetwork)


def test_for_keras_no_exporter_is_loaded(monkeypatch):
    monkeypatch.setattr(exporters, "_engines", lambda catalog: pytest.fail("exporters are loaded"))
    assert exporters.find_engine("keras", installed()) is None


def test_an_unknown_engine_is_refused(run, images):
    with pytest.raises(RequestError, match=r"There is no engine 'onnxruntme'.*Did you mean 'onnxruntime'"):
        marsseg.predict(run, images, engine="onnxruntme")
