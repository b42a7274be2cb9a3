"""Layers of Keras filled with the sines, in the order and the layout that the authors' tensors have."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import prod

import keras
import numpy as np
from keras import layers
from sines import Sines

Fill = Callable[[Sines, keras.Layer], None]


def fill(network: keras.Model, entries: Iterable[str | tuple[str, Fill]]) -> keras.Model:
    """Fill the layers of a network in this order, each once and none left out.

    An entry is the name of a layer, which `from_torch` fills, or the name with the function that does.
    """
    sines, filled = Sines(), []
    for entry in entries:
        name, function = (entry, from_torch) if isinstance(entry, str) else entry
        function(sines, network.get_layer(name))
        filled.append(name)
    assert sorted(filled) == sorted(layer.name for layer in weighted_layers(network))
    return network


def weighted_layers(network: keras.Model) -> list[keras.Layer]:
    """Those with weights; dropout has a seed only."""
    return [layer for layer in network.layers if any(weight.dtype.startswith("float") for weight in layer.weights)]


def from_keras(sines: Sines, layer: keras.Layer) -> None:
    """Its weights in their own order and layout: (rows, columns, inputs, outputs), transposed (…, outputs, inputs)."""
    if isinstance(layer, layers.BatchNormalization):
        _batch_norm(sines, layer)
        return
    for weight in layer.weights:
        if len(weight.shape) == 1:
            weight.assign(sines.shift(*weight.shape))
        else:
            # A transposed convolution's strides are as wide as its kernel here: one place goes into each place.
            transposed = isinstance(layer, layers.Conv2DTranspose)
            inputs = weight.shape[-1] if transposed else prod(weight.shape[:-1])
            weight.assign(sines.kernel(*weight.shape, inputs=inputs))


def from_torch(sines: Sines, layer: keras.Layer) -> None:
    """The tensors of `state_dict` for the module that it stands for: kernels (outputs, inputs, rows, columns)."""
    match layer:
        case layers.Conv2D():
            without_bias(sines, layer)
            if layer.use_bias:
                layer.bias.assign(sines.shift(layer.filters))
        case layers.DepthwiseConv2D():
            rows, columns, channels, _ = layer.kernel.shape
            layer.kernel.assign(sines.kernel(channels, 1, rows, columns).transpose(2, 3, 0, 1))
            layer.bias.assign(sines.shift(channels))
        case layers.Dense():
            layer.kernel.assign(sines.kernel(*layer.kernel.shape[::-1]).T)
            if layer.use_bias:
                layer.bias.assign(sines.shift(layer.units))
        case layers.BatchNormalization():
            _batch_norm(sines, layer)
        case layers.GroupNormalization() | layers.LayerNormalization():
            layer.gamma.assign(sines.scale(*layer.gamma.shape))
            layer.beta.assign(sines.shift(*layer.beta.shape))
        case layers.MultiHeadAttention():
            for part in (layer.query_dense, layer.key_dense, layer.value_dense):
                part.kernel.assign(_heads_out(sines, part.kernel.shape))
                part.bias.assign(sines.shift(*part.bias.shape))
            _join_heads(sines, layer)
        case _:
            layer.positions.assign(sines.shift(*layer.positions.shape))


def without_bias(sines: Sines, layer: layers.Conv2D) -> None:
    """A convolution of PyTorch's; where it has no bias, and ours does, that is 0."""
    rows, columns, inputs, outputs = layer.kernel.shape
    layer.kernel.assign(sines.kernel(outputs, inputs, rows, columns).transpose(2, 3, 1, 0))
    if layer.use_bias:
        layer.bias.assign(np.zeros(outputs))


def packed_attention(sines: Sines, layer: layers.MultiHeadAttention) -> None:
    """`torch.nn.MultiheadAttention`: queries, keys and values in one kernel, then in one bias."""
    parts = (layer.query_dense, layer.key_dense, layer.value_dense)
    inputs, heads, size = layer.query_dense.kernel.shape
    # One after the other they are one (3 · outputs, inputs), each output with as many inputs as in one of the three.
    for part in parts:
        part.kernel.assign(_heads_out(sines, (inputs, heads, size)))
    for part in parts:
        part.bias.assign(sines.shift(heads, size))
    _join_heads(sines, layer)


def split_attention(sines: Sines, layer: layers.MultiHeadAttention) -> None:
    """A dense layer for queries, and one for keys and values together."""
    for parts in ((layer.query_dense,), (layer.key_dense, layer.value_dense)):
        for part in parts:
            part.kernel.assign(_heads_out(sines, part.kernel.shape))
        for part in parts:
            part.bias.assign(sines.shift(*part.bias.shape))
    _join_heads(sines, layer)


def identity(sines: Sines, layer: layers.Conv2D) -> None:
    """A 1×1 convolution that the authors' module does not have: it hands on what comes."""
    layer.kernel.assign(np.eye(layer.filters)[None, None])
    layer.bias.assign(np.zeros(layer.filters))


def move_first_inputs_last(layer: layers.Conv2D, count: int) -> None:
    """The authors concatenate the map from below before the skips, which stands last here."""
    kernel = keras.ops.convert_to_numpy(layer.kernel)
    layer.kernel.assign(np.roll(kernel, -count, axis=2))


def _batch_norm(sines: Sines, layer: layers.BatchNormalization) -> None:
    (count,) = layer.gamma.shape
    layer.gamma.assign(sines.scale(count))
    layer.beta.assign(sines.shift(count))
    layer.moving_mean.assign(sines.shift(count))
    layer.moving_variance.assign(sines.variance(count))


def _heads_out(sines: Sines, shape: tuple[int, int, int]) -> np.ndarray:
    inputs, heads, size = shape
    return sines.kernel(heads * size, inputs).T.reshape(inputs, heads, size)


def _join_heads(sines: Sines, layer: layers.MultiHeadAttention) -> None:
    heads, size, outputs = layer.output_dense.kernel.shape
    layer.output_dense.kernel.assign(sines.kernel(outputs, heads * size).T.reshape(heads, size, outputs))
    layer.output_dense.bias.assign(sines.shift(outputs))
