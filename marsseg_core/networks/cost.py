"""Compute the cost of a network: parameters, multiply-accumulates, and memory of its activations."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import keras
from keras import layers

from .graph import calls

Shape = tuple[int, ...]

# By the usual convention, these layers have no multiply-accumulates: they work on single elements, pool, resample or
# move data.
FREE: Final = (
    layers.Activation,
    layers.Add,
    layers.Average,
    layers.AveragePooling2D,
    layers.BatchNormalization,
    layers.Concatenate,
    layers.Cropping2D,
    layers.Dropout,
    layers.Flatten,
    layers.GlobalAveragePooling2D,
    layers.GlobalMaxPooling2D,
    layers.GroupNormalization,
    layers.LayerNormalization,
    layers.MaxPooling2D,
    layers.Multiply,
    layers.Normalization,
    layers.Permute,
    layers.ReLU,
    layers.Rescaling,
    layers.Reshape,
    layers.Resizing,
    layers.Softmax,
    layers.SpatialDropout2D,
    layers.UpSampling2D,
    layers.ZeroPadding2D,
)


@dataclass(frozen=True)
class Cost:
    """The cost of a network for one image of its input size.

    Attributes:
        output_shape: the shape of the logits, (H, W, K)
        parameters: the number of all weights
        trainable: the number of trainable weights
        multiply_accumulates: the sum over all layers except `unknown`
        activation_bytes: the size of all layers' outputs, which training holds in memory
        unknown: the layers whose multiply-accumulates are not known
    """

    output_shape: Shape
    parameters: int
    trainable: int
    multiply_accumulates: int
    activation_bytes: int
    unknown: tuple[str, ...]


def cost_of(network: keras.Model) -> Cost:
    """Return the cost of a functional network, computed from the shapes of its layers."""
    total, memory, unknown = 0, 0, []
    for call in calls(network):
        inputs = [_without_batch(tensor) for tensor in call.inputs]
        outputs = [_without_batch(tensor) for tensor in call.outputs]
        count = multiply_accumulates(call.layer, inputs, outputs)
        if count is None:
            unknown.append(f"{call.layer.name} ({type(call.layer).__name__})")
        else:
            total += count
        memory += sum(math.prod(shape) * _bytes(t) for shape, t in zip(outputs, call.outputs, strict=True))
    outputs = keras.tree.flatten(network.output)
    return Cost(
        output_shape=_without_batch(outputs[0]),
        parameters=network.count_params(),
        trainable=sum(math.prod(weight.shape) for weight in network.trainable_weights),
        multiply_accumulates=total,
        activation_bytes=memory,
        unknown=tuple(dict.fromkeys(unknown)),
    )


def multiply_accumulates(layer: Any, inputs: Sequence[Shape], outputs: Sequence[Shape]) -> int | None:
    """Return the multiply-accumulates of one call of a layer for one image; None where they are not known.

    The shapes are without the batch axis. A custom layer can define a method `multiply_accumulates(*input_shapes)`.
    """
    method: Callable[..., int] | None = getattr(layer, "multiply_accumulates", None)
    if method is not None:
        return method(*inputs)
    if isinstance(layer, layers.MultiHeadAttention):
        return _attention(layer, inputs)
    if isinstance(layer, layers.Dense):
        return math.prod(outputs[0]) * inputs[0][-1]
    if not hasattr(layer, "kernel_size"):
        return 0 if isinstance(layer, FREE) else None
    kernel_size: int = math.prod(layer.kernel_size)
    channels = inputs[0][-1]
    if isinstance(layer, layers.Conv2DTranspose):
        return math.prod(inputs[0]) * kernel_size * int(layer.filters)
    if isinstance(layer, layers.DepthwiseConv2D):
        return math.prod(outputs[0]) * kernel_size
    if isinstance(layer, layers.SeparableConv2D):
        return math.prod(outputs[0][:-1]) * channels * int(layer.depth_multiplier) * (kernel_size + int(layer.filters))
    if isinstance(layer, layers.Conv2D):
        return math.prod(outputs[0]) * kernel_size * channels // int(layer.groups)
    return None


def _attention(layer: Any, inputs: Sequence[Shape]) -> int:
    """Count the projections of query, key and value, the attention scores, the weighted sum, the output projection."""
    query, value = inputs[0], inputs[1]
    key = inputs[2] if len(inputs) > 2 else value
    queries, keys = math.prod(query[:-1]), math.prod(value[:-1])
    config = layer.get_config()
    heads, key_size = int(config["num_heads"]), int(config["key_dim"])
    value_size = int(config["value_dim"] or key_size)
    projections = queries * query[-1] * heads * key_size + keys * heads * (key[-1] * key_size + value[-1] * value_size)
    attention = queries * keys * heads * (key_size + value_size)
    return projections + attention + queries * heads * value_size * query[-1]


def _without_batch(tensor: Any) -> Shape:
    return tuple(tensor.shape[1:])


def _bytes(tensor: Any) -> int:
    return {"float16": 2, "bfloat16": 2, "float32": 4, "float64": 8}.get(
        keras.backend.standardize_dtype(tensor.dtype), 4
    )
