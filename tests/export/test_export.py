"""`marsseg export`: what is written agrees with the network, says what it is, and needs no marsseg."""

from __future__ import annotations

import json
import re
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from helpers.paths import FROZEN
from helpers.processes import run_process

import marsseg
from marsseg_core.components.interfaces import Exporter
from marsseg_core.data.scaling import Scaling
from marsseg_core.errors import PluginError, RunError
from marsseg_core.evaluation.decoding import Decoding
from marsseg_core.export import export, exporters
from marsseg_core.export.description import describe
from marsseg_core.export.form import Form, in_float32
from marsseg_core.files.run_folder import RunFolder
from marsseg_core.networks.compiled import CompiledNetwork
from marsseg_core.planning.resolved import ResolvedComponent
from marsseg_core.registry.catalog import installed
from marsseg_core.registry.kinds import EXPORTER
from marsseg_plugins.exporters.keras_format import KerasFile
from marsseg_plugins.exporters.onnx_format import Onnx
from marsseg_plugins.exporters.saved_model import SavedModel

# Their networks take images of one size. The second has layers that Keras does not have.
PSP, TRANSUNET = str(FROZEN / "psp"), str(FROZEN / "transunet")

# Reads a file of Keras where neither marsseg nor its plugins can be imported.
ALONE = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("marsseg", "marsseg_core", "marsseg_plugins"):
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Absent())
import keras, numpy as np
images = np.load("images.npy")
for path in sys.argv[1:]:
    network = keras.saving.load_model(path)
    np.save(path + ".npy", network.predict(images, verbose=0))
"""


@pytest.fixture(scope="module")
def network() -> keras.Model:
    """A network with layers that Keras does not have: windows, aligned resizing, adaptive pooling."""
    return marsseg.network("unet:width=0.1:depth=2", bottleneck="swin:window=4,psp", height=32, width=64, seed=1)


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return np.random.default_rng(2).integers(0, 256, (3, 32, 64, 1)).astype(np.uint8)


def resolved(component: Exporter) -> ResolvedComponent:
    entry = installed().find(EXPORTER, "saved_model")
    return ResolvedComponent(entry, component, None)


def test_the_description_has_no_folder_of_this_machine_and_keeps_what_lies_in_the_data(tmp_path):
    folder = RunFolder(Path(shutil.copytree(PSP, tmp_path / "psp")))
    source = "folder:path=/home/my name/photos:masks=gt/{name}.png"
    folder.split.write_text(json.dumps(folder.read_split() | {"source": source}))
    described = describe(folder, SimpleNamespace(input_shape=(None, 30, 46, 1)), Form(), None)
    assert described["provenance"]["data"]["source"] == "folder:path=photos:masks=gt/{name}.png"


class TestTheCommand:
    def test_says_how_far_the_export_agrees(self, cli, tmp_path):
        answer = cli("export", PSP, "--format", "saved_model", "--out", "exported", "--output", "labels", "--json")
        assert answer.code == 0, answer.err
        told = json.loads(answer.out)
        assert told["equal_labels"] == 1
        assert told["images"] == 7
        files = [path for path in (tmp_path / "exported").rglob("*") if path.is_file()]
        assert told["bytes"] == sum(path.stat().st_size for path in files)
        assert told["milliseconds"] > 0
        assert told["keras_milliseconds"] > 0

    def test_describes_the_network_in_the_file(self, cli, tmp_path):
        assert cli("export", PSP, "--format", "keras", "--out", "net.keras").code == 0
        metadata = KerasFile().metadata(tmp_path / "net.keras")
        assert [each["name"] for each in metadata["classes"]] == ["background", "soil", "bedrock", "sand", "big_rock"]
        assert [each["ignored"] for each in metadata["classes"]] == [True, False, False, False, False]
        assert metadata["classes"][1]["colour"] == "#d55e00"
        assert (metadata["input"]["type"], metadata["input"]["height"], metadata["input"]["width"]) == ("uint8", 30, 46)
        assert metadata["output"]["name"] == "logits"
        provenance = metadata["provenance"]
        assert provenance["components"]["arch"]["name"] == "unet"
        assert provenance["run"] == "psp"
        assert "/" not in json.dumps(provenance["data"])
        assert set(provenance["miou"]) == {"validation", "test"}

    @pytest.mark.parametrize(
        ("words", "message"),
        [
            (["--format", "onxn", "--out", "a.onnx"], "There is no exporter 'onxn'.*Did you mean 'onnx'"),
            (["--format", "keras", "--out", "a.onnx"], "The file must end in .keras, but 'a.onnx' does not"),
            (["--format", "keras,keras", "--out", "a.keras"], "A network is written in one format"),
            (["--format", "keras", "--out", "a.keras", "--output", "label"], "Did you mean 'labels'"),
            (["--format", "keras", "--out", "a.keras", "--size", "fre"], "--size"),
            (["--format", "keras", "--out", "a.keras", "--size", "free"], "images of 30 × 46 pixels only"),
        ],
    )
    def test_refuses_a_wrong_request(self, cli, tmp_path, words, message):
        answer = cli("export", PSP, *words)
        assert answer.code == 2
        assert __import__("re").search(message, answer.err, 16)
        assert not [*tmp_path.iterdir()]

    def test_names_the_extra_of_what_is_missing(self, cli, monkeypatch):
        monkeypatch.setattr(exporters, "find_spec", lambda name: None if name == "onnxruntime" else name)
        answer = cli("export", PSP, "--format", "onnx", "--out", "net.onnx")
        assert answer.code == 2
        assert "'onnx' needs onnxruntime, which is not installed." in answer.err
        assert 'pip install "marsseg[onnx]"' in answer.err

    def test_a_local_network_may_take_images_of_any_size(self, cli, tmp_path):
        answer = cli("export", str(FROZEN / "finished"), "--format", "saved_model", "--out", "out", "--size", "free")
        assert answer.code == 0, answer.err
        run = SavedModel().open(tmp_path / "out")
        stride = SavedModel().metadata(tmp_path / "out")["input"]["multiple_of"]
        assert run(np.zeros((2, 7 * stride, 5 * stride, 1), np.uint8)).shape == (2, 7 * stride, 5 * stride, 5)


class TestTheForm:
    @pytest.mark.parametrize("numbers", ["bytes", "integers", "floats"])
    def test_scales_the_values_of_image_files_as_marsseg_does(self, network, images, numbers):
        form = Form(scaling=Scaling(20.0, 4095.0 if numbers == "integers" else 200.0, numbers))
        taken = form.taken(images)
        assert taken.dtype == {"bytes": "uint8", "integers": "int32", "floats": "float32"}[numbers]
        outside = taken.copy()
        outside[0] = 255 if numbers == "bytes" else 5000
        for values in (taken, outside):
            found = form.build(network).predict(values, verbose=0)
            np.testing.assert_allclose(found, form.reference(network)(values), atol=1e-5)

    def test_labels_are_those_of_predict(self, network, images):
        form = Form("labels", ignore_classes=(0, 2), decoding=Decoding((0.0, 0.5, 0.0, -0.25, 0.1)))
        found = form.build(network).predict(images, verbose=0)
        assert found.dtype == np.uint8
        assert set(np.unique(found)) <= {1, 3, 4}
        np.testing.assert_array_equal(found, form.reference(network)(images))

    def test_looks_at_the_weights_once_and_not_for_each_image(self, network, images, monkeypatch):
        """It takes longer than a small network itself, and would be part of the time that Keras is said to take."""
        looked = []
        monkeypatch.setattr(CompiledNetwork, "check_weights", lambda self: looked.append(self))
        export.seconds(Form().reference(network), images[:1])
        assert len(looked) == 1

    @pytest.mark.parametrize("ignored", [(), (0, 2)])
    def test_labels_of_onnx_are_those_of_predict(self, images, tmp_path, ignored):
        pytest.importorskip("tf2onnx")
        inputs = keras.Input((32, 64, 1))
        network = keras.Model(inputs, keras.layers.Conv2D(5, 3, padding="same", bias_initializer="normal")(inputs))
        form = Form("labels", ignore_classes=ignored, decoding=Decoding((0.0, 0.5, 0.0, -0.25, 0.1)))
        exported = export.write_checked(resolved(Onnx()), network, form, {}, tmp_path / "net.onnx", [images])
        assert exported.agreement.equal_labels >= 0.9999

    def test_computes_in_float32_whatever_the_precision_of_the_run(self):
        keras.config.set_dtype_policy("mixed_bfloat16")
        try:
            layer = keras.layers.Conv2D(4, 3, name="convolution")
            mixed = keras.Sequential([keras.Input((8, 8, 1)), layer, keras.layers.Conv2D(2, 1, dtype="float32")])
        finally:
            keras.config.set_dtype_policy("float32")
        copy = in_float32(mixed)
        assert copy.get_layer("convolution").compute_dtype == "float32"
        assert layer.compute_dtype == "bfloat16"
        np.testing.assert_array_equal(copy.get_layer("convolution").kernel, layer.kernel)


class TestAKerasFile:
    @pytest.mark.slow
    def test_is_read_where_marsseg_is_not_installed(self, cli, network, images, tmp_path):
        assert cli("export", TRANSUNET, "--format", "keras", "--out", "transunet.keras").code == 0
        form = Form()
        export.write_checked(resolved(KerasFile()), network, form, {}, tmp_path / "net.keras", [images])
        np.save(tmp_path / "images.npy", images)
        answer = run_process(sys.executable, "-c", ALONE, "net.keras", "transunet.keras", cwd=tmp_path)
        assert answer.code == 0, answer.err
        for name, original in (("net", network), ("transunet", marsseg.load(TRANSUNET))):
            found = np.load(tmp_path / f"{name}.keras.npy")
            np.testing.assert_allclose(found, form.reference(original)(images), atol=1e-4)

    def test_leaves_the_network_as_it_was(self, network, images, tmp_path):
        names, before = [layer.name for layer in network.layers], network.predict(images, verbose=0)
        export.write_checked(resolved(KerasFile()), network, Form(), {}, tmp_path / "net.keras", [images])
        assert [layer.name for layer in network.layers] == names
        np.testing.assert_array_equal(network.predict(images, verbose=0), before)

    def test_a_function_of_another_module_is_refused(self, images, tmp_path):
        @keras.saving.register_keras_serializable("foreign")
        def squared(x):
            return x * x

        inputs = keras.Input((32, 64, 1))
        network = keras.Model(inputs, keras.layers.Conv2D(2, 1, activation=squared)(inputs))
        with pytest.raises(PluginError, match="foreign>squared"):
            export.write_checked(resolved(KerasFile()), network, Form(), {}, tmp_path / "net.keras", [images])
        assert not [*tmp_path.iterdir()]


@dataclass(frozen=True)
class Wrong(SavedModel):
    """A format whose runtime computes something else."""

    def open(self, path):
        right = super().open(path)
        return lambda images: right(images) + 0.01


def test_what_does_not_agree_is_not_kept(network, images, tmp_path):
    with pytest.raises(RunError, match=r"differ by up to .* of the largest output"):
        export.write_checked(resolved(Wrong()), network, Form(), {}, tmp_path / "net", [images])
    assert not [*tmp_path.iterdir()]


def test_without_the_data_of_the_run_nothing_is_written(cli, tmp_path):
    run = shutil.copytree(PSP, tmp_path / "run")
    plan = Path(run / "plan.toml")
    plan.write_text(plan.read_text().replace("seed = 0", "seed = 1"))
    answer = cli("export", "run", "--format", "keras", "--out", "net.keras")
    assert answer.code == 2
    assert "The data is not what the run was trained on" in answer.err


def test_data_that_have_moved_can_be_named(cli, tmp_path):
    run = shutil.copytree(PSP, tmp_path / "run")
    plan = Path(run / "plan.toml")
    source = '[data]\nname = "npz"\npath = "/gone.npz"\n'
    plan.write_text(re.sub(r"\[data\]\n([^\[].*\n)+", source, plan.read_text()))
    answer = cli("export", "run", "--format", "keras", "--out", "net.keras")
    assert answer.code == 2
    assert re.search(r"There is no such file\..*/gone\.npz.*name their place: --data PATH", answer.err, re.DOTALL)
