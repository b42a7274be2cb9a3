"""ONNX, for ONNX Runtime and everything else that reads it."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

from marsseg_core.plugin_api import INPUT_NAME, METADATA_NAME, Exporter, ExportSpec, processors

if TYPE_CHECKING:
    import numpy as np

# The newest set of operations that tf2onnx writes.
_OPERATIONS: Final = 18

_AXES: Final = ("batch", "height", "width")


@dataclass(frozen=True)
class Onnx(Exporter):
    """ONNX: one file for ONNX Runtime, and for the many programs and devices that read it.

    The input is `images`, the output `logits`, `probabilities` or `labels`. The metadata are in the property `marsseg`,
    as JSON. The error function of GELU, whose complement ONNX does not have, is written as 1 − Erf.
    """

    suffix: ClassVar[str] = ".onnx"
    engine: ClassVar[str] = "onnxruntime"
    modules: ClassVar[tuple[str, ...]] = ("onnx", "tf2onnx", "onnxruntime")
    install: ClassVar[str] = "marsseg[onnx]"
    precisions: ClassVar[tuple[str, ...]] = ("float32", "int8")

    def write(self, spec: ExportSpec, path: Path) -> None:
        import onnx

        from .onnx_graph import converted

        logging.getLogger("tf2onnx").setLevel(logging.ERROR)
        model = converted(spec, _OPERATIONS)
        for value in (*model.graph.input, *model.graph.output):
            for axis, name in zip(value.type.tensor_type.shape.dim, _AXES, strict=False):
                if not axis.dim_value:
                    axis.dim_param = name
        if spec.precision == "int8":
            from .onnx_int8 import quantised

            model = quantised(model, spec.calibration)
        property = model.metadata_props.add()
        property.key, property.value = METADATA_NAME, json.dumps(spec.metadata, ensure_ascii=False)
        onnx.checker.check_model(model)
        onnx.save(model, path)

    def open(self, path: Path) -> Callable[[np.ndarray], np.ndarray]:
        session = _session(path)
        name = session.get_outputs()[0].name

        def run(images: np.ndarray) -> np.ndarray:
            return session.run([name], {INPUT_NAME: images})[0]

        return run

    def metadata(self, path: Path) -> dict[str, Any]:
        return json.loads(_session(path).get_modelmeta().custom_metadata_map[METADATA_NAME])


def _session(path: Path) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    # Threads that wait for work by spinning would take the time of all else that runs here.
    options.intra_op_num_threads = processors()
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
