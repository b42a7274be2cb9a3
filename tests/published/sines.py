"""Numbers that any framework can repeat, and layers filled with them in the order of the authors' tensors."""

from __future__ import annotations

from collections.abc import Iterable
from math import prod

import keras
import numpy as np
from keras import layers


def waves(indices: np.ndarray) -> np.ndarray:
    """sin(i²) of each index, which repeats itself after 99,991: nothing in it is smooth, as nothing in weights is."""
    return np.sin((indices % 99_991) ** 2)


def image(*shape: int) -> np.ndarray:
    """Numbers in [0, 1] of this shape, the last axis running fastest."""
    return (0.5 + 0.5 * waves(np.arange(prod(shape), dtype=np.float64))).reshape(shape).astype("float32")


class Sines:
    """Weights of one network: the index runs on from tensor to tensor."""

    def __init__(self) -> None:
        self.used = 0

    def take(self, *shape: int) -> np.ndarray:
        self.used += prod(shape)
        return waves(np.arange(self.used - prod(shape), self.used, dtype=np.float64)).reshape(shape)

    def kernel(self, *shape: int) -> np.ndarray:
        """Of shape (outputs, inputs, …), of a size that keeps that of the features."""
        return self.take(*shape) * np.sqrt(4 / prod(shape[1:]))

    def scale(self, count: int) -> np.ndarray:
        return 1 + 0.25 * self.take(count)

    def shift(self, *shape: int) -> np.ndarray:
        return 0.25 * self.take(*shape)

    def variance(self, count: int) -> np.ndarray:
        return 0.5 + np.abs(self.take(count))

    def fill(self, layer: keras.Layer, *, bias: bool = True) -> None:
        """Set the weights of a layer. Without `bias` the authors' has none, and it is 0."""
        if isinstance(layer, layers.Conv2D):
            rows, columns, inputs, outputs = layer.kernel.shape
            layer.kernel.assign(self.kernel(outputs, inputs, rows, columns).transpose(2, 3, 1, 0))
            if layer.use_bias:
                layer.bias.assign(self.shift(outputs) if bias else np.zeros(outputs))
        elif isinstance(layer, layers.Dense):
            inputs, outputs = layer.kernel.shape
            layer.kernel.assign(self.kernel(outputs, inputs).T)
            layer.bias.assign(self.shift(outputs))
        elif isinstance(layer, layers.BatchNormalization):
            (count,) = layer.gamma.shape
            layer.gamma.assign(self.scale(count))
            layer.beta.assign(self.shift(count))
            layer.moving_mean.assign(self.shift(count))
            layer.moving_variance.assign(self.variance(count))
        elif isinstance(layer, layers.GroupNormalization | layers.LayerNormalization):
            (count,) = layer.gamma.shape
            layer.gamma.assign(self.scale(count))
            layer.beta.assign(self.shift(count))
        elif isinstance(layer, layers.MultiHeadAttention):
            for part in (layer.query_dense, layer.key_dense, layer.value_dense):
                inputs, heads, size = part.kernel.shape
                part.kernel.assign(self.kernel(heads * size, inputs).T.reshape(inputs, heads, size))
                part.bias.assign(self.shift(heads, size))
            heads, size, outputs = layer.output_dense.kernel.shape
            layer.output_dense.kernel.assign(self.kernel(outputs, heads * size).T.reshape(heads, size, outputs))
            layer.output_dense.bias.assign(self.shift(outputs))
        else:
            layer.positions.assign(self.shift(*layer.positions.shape))


def fill(network: keras.Model, names: Iterable[str]) -> None:
    """Fill the layers of a network in this order, which has to name all that have weights."""
    sines = Sines()
    for name in names:
        sines.fill(network.get_layer(name))
    weights = sum(prod(weight.shape) for weight in network.weights)
    seeds = sum(prod(layer.seed_generator.state.shape) for layer in network.layers if hasattr(layer, "seed_generator"))
    assert sines.used in (weights, weights - seeds)


def with_epsilon(network: keras.Model, epsilon: float) -> keras.Model:
    """The network, its batch normalisations adding `epsilon` to the variance."""
    for layer in network.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.epsilon = epsilon
    return network


def assert_agrees(found: np.ndarray, recorded: np.ndarray, tolerance: float = 2e-5) -> None:
    """The largest difference is below `tolerance` of the largest number recorded, in which every channel varies."""
    assert found.shape == recorded.shape
    assert recorded.std((1, 2)).max() > 0.05 * np.abs(recorded).max()
    assert np.abs(found - recorded).max() < tolerance * np.abs(recorded).max()
