"""Each exporter keeps its contract: its own runtime computes what Keras computes."""

from __future__ import annotations

from marsseg_core.testing import ExporterContract
from marsseg_plugins.exporters.keras_format import KerasFile
from marsseg_plugins.exporters.litert import LiteRT
from marsseg_plugins.exporters.onnx_format import Onnx
from marsseg_plugins.exporters.openvino_format import OpenVino
from marsseg_plugins.exporters.saved_model import SavedModel


class TestKeras(ExporterContract):
    component = KerasFile()
    name = "keras"


class TestLiteRT(ExporterContract):
    component = LiteRT()
    name = "litert"


class TestOnnx(ExporterContract):
    component = Onnx()
    name = "onnx"


class TestOpenVino(ExporterContract):
    component = OpenVino()
    name = "openvino"


class TestSavedModel(ExporterContract):
    component = SavedModel()
    name = "saved_model"
