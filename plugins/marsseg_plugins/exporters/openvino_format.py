"""OpenVINO's form, for processors, graphics and accelerators of Intel."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, ClassVar, Final

from marsseg_core.plugin_api import INPUT_NAME, METADATA_NAME, Exporter, ExportSpec

if TYPE_CHECKING:
    import numpy as np

_FILE: Final = "network.xml"


@dataclass(frozen=True)
class OpenVino(Exporter):
    """OpenVINO: a folder with `network.xml` and `network.bin` for Intel's runtime.

    The input is `images`, the output `logits`, `probabilities` or `labels`. The metadata are the runtime information
    `marsseg`, as JSON. In bfloat16, the weights are stored in half precision, and the runtime computes in bfloat16 if
    the processor can.
    """

    engine: ClassVar[str] = "openvino"
    modules: ClassVar[tuple[str, ...]] = ("openvino",)
    install: ClassVar[str] = "marsseg[openvino]"
    precisions: ClassVar[tuple[str, ...]] = ("float32", "float16", "bfloat16")

    def write(self, spec: ExportSpec, path: Path) -> None:
        import openvino

        from .graph import write_frozen_graph

        # `openvino.convert_model` would do the same, and report its use to Intel.
        with TemporaryDirectory() as folder:
            graph = Path(folder) / "network.pb"
            write_frozen_graph(spec, graph)
            model = openvino.Core().read_model(graph)
        model.inputs[0].get_node().set_friendly_name(INPUT_NAME)
        model.inputs[0].set_names({INPUT_NAME})
        model.outputs[0].set_names({spec.output})
        model.set_rt_info(json.dumps(spec.metadata), METADATA_NAME)
        openvino.save_model(model, path / _FILE, compress_to_fp16=spec.precision != "float32")

    def open(self, path: Path) -> Callable[[np.ndarray], np.ndarray]:
        import openvino

        model = openvino.Core().read_model(path / _FILE)
        # Without the hint, a processor that can compute in bfloat16 does so.
        precision = "bf16" if _metadata(model).get("precision") == "bfloat16" else "f32"
        options = {"INFERENCE_PRECISION_HINT": precision, "PERFORMANCE_HINT": "LATENCY"}
        network = openvino.Core().compile_model(model, "CPU", options)
        return lambda images: network(images)[0]

    def metadata(self, path: Path) -> dict[str, Any]:
        import openvino

        return _metadata(openvino.Core().read_model(path / _FILE))


def _metadata(model: Any) -> dict[str, Any]:
    """Return what `set_rt_info` stored in a model of OpenVINO."""
    return json.loads(model.get_rt_info(METADATA_NAME).astype(str))
