"""Convert a graph of TensorFlow to ONNX, with the operations that tf2onnx does not know."""

from __future__ import annotations

from typing import Any

import numpy as np
import tf2onnx

from marsseg_core.plugin_api import ExportSpec

from .graph import graph_function, signature


def converted(spec: ExportSpec, operations: int) -> Any:
    """Return the model of ONNX, with this set of operations."""
    model, _ = tf2onnx.convert.from_function(
        graph_function(spec),
        [signature(spec)],
        opset=operations,
        custom_op_handlers={"Erfc": (_complement_of_erf, [])},
    )
    return model


def _complement_of_erf(graph: Any, node: Any, name: str, arguments: Any) -> Any:
    """Write Erfc(x), which ONNX does not have, as 1 − Erf(x)."""
    (x,), (output,) = node.input, node.output
    shape, dtype = graph.get_shape(output), graph.get_dtype(output)
    one = graph.make_const(f"{name}_one", np.float32(1)).output[0]
    graph.remove_node(node.name)
    erf = graph.make_node("Erf", [x]).output[0]
    return graph.make_node("Sub", [one, erf], outputs=[output], shapes=[shape], dtypes=[dtype])
