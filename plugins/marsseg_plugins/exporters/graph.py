"""What converters of TensorFlow need: the graph of a network, and TensorFlow's own formats.

No other exporter knows TensorFlow. Keras' other backends have no such converters.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from marsseg_core.plugin_api import INPUT_NAME, ExportSpec

from .resizing import with_resizing


def graph_function(spec: ExportSpec) -> Any:
    """Return a function of TensorFlow from images to a dictionary with the output under its name."""
    network = with_resizing(spec.network, _enlarged)
    call = tf.function(
        lambda images: {spec.output: network(images, training=False)},
        input_signature=[signature(spec)],
        autograph=False,
        jit_compile=False,
    )
    call.get_concrete_function()
    return call


def _enlarged(maps: Any, factors: tuple[int, int]) -> Any:
    """Repeat the cells of maps (B, H, W, C) by the operation for which other formats have one of their own."""
    sizes = tf.unstack(tf.shape(maps)[1:3]) if None in maps.shape[1:3] else maps.shape[1:3]
    size = [length * factor for length, factor in zip(sizes, factors, strict=True)]
    # Without half-pixel centres, which ONNX Runtime has no fast way for. For whole factors they change nothing.
    return tf.raw_ops.ResizeNearestNeighbor(images=maps, size=size, half_pixel_centers=False)


def signature(spec: ExportSpec) -> Any:
    """Return the type of the images, whose number is free."""
    images = spec.network.inputs[0]
    return tf.TensorSpec(images.shape, images.dtype, name=INPUT_NAME)


def write_frozen_graph(spec: ExportSpec, path: Path) -> None:
    """Write the graph, with the weights as constants, into a file of TensorFlow (.pb)."""
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    frozen = convert_variables_to_constants_v2(graph_function(spec).get_concrete_function())
    path.write_bytes(frozen.graph.as_graph_def().SerializeToString())


def write_saved_model(spec: ExportSpec, folder: Path) -> None:
    """Write a SavedModel into an empty folder."""
    module = tf.Module()
    module.network = spec.network
    tf.saved_model.save(module, str(folder), {"serving_default": graph_function(spec)})


def open_saved_model(folder: Path) -> Callable[[np.ndarray], np.ndarray]:
    """Return the function of a SavedModel from images to its output."""
    loaded = tf.saved_model.load(str(folder))
    function = loaded.signatures["serving_default"]

    def run(images: np.ndarray) -> np.ndarray:
        (output,) = function(**{INPUT_NAME: tf.constant(images)}).values()
        return output.numpy()

    return run


def lite_content(spec: ExportSpec) -> bytes:
    """Return the content of a file of LiteRT, with LiteRT's own operations only, in the precision of `spec`."""
    function = graph_function(spec).get_concrete_function()
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function])
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    if spec.precision != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if spec.precision == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if spec.precision == "int8":
        converter.representative_dataset = lambda: ([image[None]] for image in spec.calibration)
    with warnings.catch_warnings():
        # The images are uint8, and scaled in the network: their range is no statistic.
        warnings.filterwarnings("ignore", message="Statistics for quantized inputs")
        return converter.convert()
