"""Layers that the architectures use and that Keras does not have."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="marsseg")
class LearnedScale(keras.layers.Layer):
    """Multiply a map by one trained number, which starts at 1."""

    reach = 0

    def build(self, shape: tuple[int | None, ...]) -> None:
        self.scale = self.add_weight(shape=(), initializer="ones", name="scale")

    def call(self, x: Any) -> Any:
        return x * self.scale

    def multiply_accumulates(self, shape: tuple[int, ...]) -> int:
        return 0


@keras.saving.register_keras_serializable(package="marsseg")
class StandardisedConv2D(keras.layers.Conv2D):
    """A convolution with weight standardisation: its kernels have mean 0 and variance 1 (arXiv 1903.10520)."""

    @property
    def reach(self) -> int:
        """Return an upper bound of the cells between an output and an input that influences it."""
        return max((size - 1) * rate for size, rate in zip(self.kernel_size, self.dilation_rate, strict=True))

    def convolution_op(self, inputs: Any, kernel: Any) -> Any:
        # In float32: the variance of a large kernel loses too many digits in half precision.
        mean, variance = ops.moments(ops.cast(kernel, "float32"), axes=(0, 1, 2), keepdims=True)
        standardised = (kernel - mean) * ops.rsqrt(variance + 1e-5)
        return super().convolution_op(inputs, ops.cast(standardised, inputs.dtype))
