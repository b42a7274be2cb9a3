"""The graph function of TensorFlow from which converters start."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from marsseg_core.plugin_api import INPUT_NAME, ExportSpec


def graph_function(spec: ExportSpec) -> Any:
    """Return a function of TensorFlow from images to a dictionary with the output under its name."""
    import tensorflow as tf

    call = tf.function(
        lambda images: {spec.output: spec.network(images, training=False)},
        input_signature=[signature(spec)],
        autograph=False,
        jit_compile=False,
    )
    call.get_concrete_function()
    return call


def write_frozen_graph(spec: ExportSpec, path: Path) -> None:
    """Write the graph, with the weights as constants, into a file of TensorFlow (.pb)."""
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    frozen = convert_variables_to_constants_v2(graph_function(spec).get_concrete_function())
    path.write_bytes(frozen.graph.as_graph_def().SerializeToString())


def signature(spec: ExportSpec) -> Any:
    """Return the type of the images, whose number is free."""
    import tensorflow as tf

    images = spec.network.inputs[0]
    return tf.TensorSpec(images.shape, images.dtype, name=INPUT_NAME)
