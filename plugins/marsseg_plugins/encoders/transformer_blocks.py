"""Blocks of transformers on maps: overlapping patches, attention with fewer keys, perceptrons with a convolution."""

from __future__ import annotations

from typing import Any

from keras import initializers, layers


def normalised(x: Any, name: str, epsilon: float = 1e-6) -> Any:
    """Apply layer normalisation over the channels."""
    return layers.LayerNormalization(epsilon=epsilon, name=name)(x)


def patches(x: Any, filters: int, kernel: int, strides: int, name: str) -> Any:
    """Embed overlapping patches: a convolution with padding on all sides, then normalisation."""
    # "same" would pad more below and to the right.
    x = layers.ZeroPadding2D(kernel // 2, name=f"{name}_pad")(x)
    x = layers.Conv2D(filters, kernel, strides, kernel_initializer=_he(), name=f"{name}_conv")(x)
    return normalised(x, f"{name}_norm", 1e-5)


def mix_block(x: Any, heads: int, reduction: int, dilation: int, drop: float, name: str) -> Any:
    """Add to a map what the attention makes of it, and to the sum what the perceptron makes of that."""
    y = _attention(normalised(x, f"{name}_norm1"), heads, reduction, f"{name}_attention")
    x = layers.Add(name=f"{name}_add1")([x, _drop_path(y, drop, f"{name}_drop1")])
    y = _perceptron(normalised(x, f"{name}_norm2"), dilation, f"{name}_mlp")
    return layers.Add(name=f"{name}_add2")([x, _drop_path(y, drop, f"{name}_drop2")])


def _attention(x: Any, heads: int, reduction: int, name: str) -> Any:
    """Let each cell of a map attend to all cells of the map reduced by `reduction`."""
    _, rows, columns, channels = x.shape
    reduced = x
    if reduction > 1:
        convolution = layers.Conv2D(
            channels, reduction, reduction, kernel_initializer=_he(), name=f"{name}_reduce_conv"
        )
        reduced = normalised(convolution(x), f"{name}_reduce_norm", 1e-5)
    tokens = layers.Reshape((rows * columns, channels), name=f"{name}_tokens")(x)
    keys = tokens
    if reduction > 1:
        keys = layers.Reshape((-1, channels), name=f"{name}_keys")(reduced)
    attention = layers.MultiHeadAttention(heads, channels // heads, kernel_initializer=_small(), name=name)
    return layers.Reshape((rows, columns, channels), name=f"{name}_map")(attention(tokens, keys))


def _perceptron(x: Any, dilation: int, name: str) -> Any:
    """Apply a dense layer to four times the channels, a 3×3 depthwise convolution, GELU and a dense layer."""
    channels = x.shape[-1]
    x = layers.Dense(4 * channels, kernel_initializer=_small(), name=f"{name}_dense1")(x)
    depthwise = layers.DepthwiseConv2D(
        3, padding="same", dilation_rate=dilation, depthwise_initializer=_he(), name=f"{name}_depthwise"
    )
    x = layers.Activation("gelu", name=f"{name}_gelu")(depthwise(x))
    return layers.Dense(channels, kernel_initializer=_small(), name=f"{name}_dense2")(x)


def _drop_path(x: Any, rate: float, name: str) -> Any:
    """Drop the whole map of a share of the images in training (stochastic depth, arXiv 1603.09382)."""
    return layers.Dropout(rate, noise_shape=(None, 1, 1, 1), name=name)(x) if rate else x


def _he() -> Any:
    return initializers.VarianceScaling(2.0, "fan_out", "untruncated_normal")


def _small() -> Any:
    return initializers.TruncatedNormal(stddev=0.02)
