"""`--precision`: smaller files, calibrated on training images, and kept only if the `miou` falls by little."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import ClassVar

import keras
import numpy as np
import pytest
from helpers.paths import FROZEN

from marsseg_core.components.exports import ExportSpec
from marsseg_core.data.arrays import SegmentationData
from marsseg_core.data.split import Split
from marsseg_core.errors import RequestError, RunError
from marsseg_core.evaluation.decoding import Decoding
from marsseg_core.export import export
from marsseg_core.export.form import Form
from marsseg_core.export.quantised import Quantisation, quantisation
from marsseg_core.planning.resolved import ResolvedComponent
from marsseg_core.registry.catalog import installed
from marsseg_core.registry.kinds import EXPORTER
from marsseg_plugins.exporters.openvino_format import OpenVino
from marsseg_plugins.exporters.saved_model import SavedModel

PSP = str(FROZEN / "psp")


def onnx_types(path) -> set[str]:
    onnx = pytest.importorskip("onnx")
    return {onnx.TensorProto.DataType.Name(each.data_type).lower() for each in onnx.load(path).graph.initializer}


def litert_types(path) -> set[str]:
    interpreter = pytest.importorskip("ai_edge_litert.interpreter").Interpreter(str(path))
    return {np.dtype(each["dtype"]).name for each in interpreter.get_tensor_details()}


def openvino_types(path) -> set[str]:
    model = pytest.importorskip("openvino").Core().read_model(path / "network.xml")
    return {each.get_element_type().to_dtype().name for each in model.get_ops() if each.get_type_name() == "Constant"}


@pytest.fixture(scope="module")
def data() -> SegmentationData:
    """Eight images, each of one grey: that of its number."""
    images = np.broadcast_to(np.arange(8, dtype=np.uint8)[:, None, None, None], (8, 16, 32, 1)).copy()
    masks = np.random.default_rng(0).integers(0, 3, (8, 16, 32)).astype(np.uint8)
    return SegmentationData(images, masks, class_names=("soil", "sand", "rock"), ignore_classes=(0,))


ASKED = {"where": "--precision int8", "hint": "Use another."}

SPLIT = Split(train=(0, 2, 4), validation=(1, 3, 5), test=(6, 7))


@pytest.fixture(scope="module")
def network() -> keras.Model:
    images = keras.Input((16, 32, 1))
    return keras.Model(images, keras.layers.Conv2D(3, 3, padding="same", bias_initializer="random_normal")(images))


class TestTheCommand:
    @pytest.mark.parametrize(
        ("format", "precision", "name", "types", "stored"),
        [
            ("onnx", "int8", "net.onnx", onnx_types, "int8"),
            ("litert", "int8", "net.tflite", litert_types, "int8"),
            ("litert", "float16", "net.tflite", litert_types, "float16"),
            ("openvino", "float16", "net", openvino_types, "float16"),
            ("openvino", "bfloat16", "net", openvino_types, "float16"),
        ],
    )
    def test_prints_what_the_precision_costs(self, cli, tmp_path, format, precision, name, types, stored):
        pytest.importorskip({"onnx": "tf2onnx", "litert": "ai_edge_litert", "openvino": "openvino"}[format])
        answer = cli(
            "export", PSP, "--format", format, "--precision", precision, "--out", name, "--output", "labels", "--json"
        )
        assert answer.code == 0, answer.err
        told = json.loads(answer.out)
        assert told["precision"] == precision
        assert abs(told["miou"] - told["keras_miou"]) <= 0.01
        assert stored in types(tmp_path / name)

    @pytest.mark.parametrize(("precision", "computes"), [("float32", "f32"), ("float16", "f32"), ("bfloat16", "bf16")])
    def test_openvino_computes_in_bfloat16_only_if_asked(self, network, tmp_path, monkeypatch, precision, computes):
        """A processor that has no bfloat16 computes in float32, so the outputs do not show what was asked."""
        openvino = pytest.importorskip("openvino")
        asked = []
        compiled = openvino.Core.compile_model
        monkeypatch.setattr(
            openvino.Core, "compile_model", lambda core, *words: asked.append(words[2]) or compiled(core, *words)
        )
        spec = ExportSpec(network, "logits", {"precision": precision}, precision)
        OpenVino().write(spec, tmp_path)
        assert OpenVino().open(tmp_path)(np.zeros((1, 16, 32, 1), np.float32)).shape == (1, 16, 32, 3)
        assert [options["INFERENCE_PRECISION_HINT"] for options in asked] == [computes]

    @pytest.mark.parametrize(
        ("words", "message"),
        [
            (["--precision", "int8"], "'keras' cannot be written in int8, only in float32"),
            (["--tolerance", "2"], "The tolerance is a change of miou, from 0 to 1, not 2"),
        ],
    )
    def test_refuses_a_wrong_request(self, cli, words, message):
        answer = cli("export", PSP, "--format", "keras", "--out", "net.keras", *words)
        assert answer.code == 2
        assert re.search(message, answer.err)


class TestTheMeasurement:
    def test_calibration_sees_the_training_subset_only(self, data, network):
        images = Quantisation("int8", data, SPLIT, 0.01, **ASKED).calibration(network, Form())
        assert [image.max() for image in images] == [0, 2, 4]

    @pytest.mark.parametrize("output", ["logits", "probabilities", "labels"])
    def test_the_change_is_that_on_the_validation_subset(self, data, network, output):
        form = Form(output, ignore_classes=(0,), decoding=Decoding((0.0, 0.3, -0.3)))
        seen = set()

        def exported(images):
            seen.update(images.ravel().tolist())
            return form.reference(network)(images)

        change = Quantisation("int8", data, SPLIT, 0.01, **ASKED).change(network, form, exported)
        assert change.value == 0
        assert 0 < change.network < 1
        assert seen - {0} == {1, 3, 5}  # zeros fill a batch

    def test_a_run_without_a_validation_subset_is_refused(self, data):
        with pytest.raises(RequestError, match=r"validation subset of the run is empty.*--precision int8"):
            quantisation("int8", data, Split((0, 1), (), (2,)), 0.01, **ASKED)


@dataclass(frozen=True)
class Coarse(SavedModel):
    """A format whose int8 chooses the wrong class."""

    precisions: ClassVar[tuple[str, ...]] = ("float32", "int8")

    def open(self, path):
        right = super().open(path)
        return lambda images: -right(images)


def test_what_costs_more_than_the_tolerance_is_not_kept(network, tmp_path):
    exporter = ResolvedComponent(installed().find(EXPORTER, "saved_model"), Coarse(), None)
    images = np.random.default_rng(1).integers(0, 256, (8, 16, 32, 1)).astype(np.uint8)
    masks = Form("labels").reference(network)(images)
    data = SegmentationData(images, masks, class_names=("soil", "sand", "rock"))
    quantised = Quantisation("int8", data, SPLIT, 0.01, **ASKED)
    with pytest.raises(RunError, match=r"In int8, the miou on the validation subset is 0\.\d+, with Keras 1\.0000"):
        export.write_checked(exporter, network, Form(), {}, tmp_path / "net", [images], quantised)
    assert not [*tmp_path.iterdir()]
