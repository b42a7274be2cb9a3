"""The layers of a network's fast form. They use the variables of plain Keras layers and are never saved."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from .depthwise import convolve_depthwise
from .enlarged import convolve_enlarged
from .keras_backend.kernels import normalise_batch


class FastConvolution(keras.layers.Layer):
    """Apply a plain convolution to the concatenation of maps that are enlarged by repetition first, then normalise.

    Args:
        convolution: the Conv2D layer whose variables are used
        factors: the factor of each map; 1 where it is not enlarged
        normalisation: the BatchNormalization layer that follows; None if none does
    """

    def __init__(self, convolution: Any, factors: Sequence[int], normalisation: Any = None) -> None:
        # In float32 and without casting, so that kernels are summed and scaled before they are rounded.
        super().__init__(dtype="float32", autocast=False)
        self.convolution = convolution
        self.factors = tuple(factors)
        self.normalisation = normalisation
        self.built = True

    def call(self, maps: Sequence[Any], training: bool | None = None) -> Any:
        """Return (B, H, W, F) for maps (B, H / s, W / s, C), each with its factor s."""
        # Reshape, to get a tensor also where the backend would go on with its variable.
        kernel = ops.reshape(self.convolution.kernel, self.convolution.kernel.shape)
        bias = ops.convert_to_tensor(self.convolution.bias) if self.convolution.use_bias else None
        normalisation = self.normalisation
        if normalisation is None:
            result = self._convolve(maps, kernel, bias)
        elif training and normalisation.trainable:
            return normalise(normalisation, self._convolve(maps, kernel, bias))
        else:
            # With fixed statistics, normalisation is a linear map that the kernel can contain.
            scale, offset = _scale_and_offset(normalisation)
            bias = offset if bias is None else bias * scale + offset
            result = ops.cast(self._convolve(maps, kernel * scale, bias), normalisation.compute_dtype)
        return self.convolution.activation(result)

    def _convolve(self, maps: Sequence[Any], kernel: Any, bias: Any) -> Any:
        dtype = self.convolution.compute_dtype
        maps = [ops.cast(x, dtype) for x in maps]
        # Split the kernel at once: the gradient of a slice is a whole kernel of zeros around it.
        ends = np.cumsum([x.shape[-1] for x in maps])
        kernels = ops.split(kernel, ends[:-1].tolist(), axis=2) if len(maps) > 1 else [kernel]
        groups: dict[int, tuple[list[Any], list[Any]]] = {}  # by factor: maps, and their parts of the kernel
        for x, part, factor in zip(maps, kernels, self.factors, strict=True):
            group = groups.setdefault(factor, ([], []))
            group[0].append(x)
            group[1].append(part)
        joined = {factor: (_joined(maps, 3), _joined(parts, 2)) for factor, (maps, parts) in groups.items()}
        total = None
        if 1 in joined:
            x, part = joined.pop(1)
            # The bias comes first, so that the backend can add it within the convolution.
            total = _add(ops.conv(x, ops.cast(part, dtype), padding=self.convolution.padding), bias)
        if joined:
            small, parts = zip(*joined.values(), strict=True)
            enlarged = convolve_enlarged(small, tuple(joined), parts)
            # Without the convolution, TensorFlow would sum the gradient of the bias in half precision.
            total = _add(ops.cast(enlarged, "float32"), bias) if total is None else total + enlarged
        return ops.cast(total, dtype)

    def compute_output_spec(self, maps: Sequence[Any], training: bool | None = None) -> keras.KerasTensor:
        """Return the shape and type of the result for those of the maps."""
        sides = [None if side is None else side * self.factors[0] for side in maps[0].shape[1:3]]
        last = self.normalisation or self.convolution
        return keras.KerasTensor((maps[0].shape[0], *sides, self.convolution.filters), last.compute_dtype)


class FastNormalisation(keras.layers.Layer):
    """Apply batch normalisation by the backend's own function."""

    def __init__(self, normalisation: Any) -> None:
        super().__init__(dtype="float32", autocast=False)
        self.normalisation = normalisation
        self.built = True

    def call(self, x: Any, training: bool | None = None) -> Any:
        """Return the normalised map (B, H, W, C)."""
        return normalise(self.normalisation, x, training)

    def compute_output_spec(self, x: Any, training: bool | None = None) -> keras.KerasTensor:
        """Return the shape and type of the result."""
        return keras.KerasTensor(x.shape, self.normalisation.compute_dtype)


class FastDepthwiseConvolution(keras.layers.Layer):
    """Apply a depthwise convolution, with a faster gradient for its kernel on small maps."""

    def __init__(self, convolution: Any) -> None:
        super().__init__(dtype=convolution.dtype_policy)
        self.convolution = convolution
        self.built = True

    def call(self, x: Any, training: bool | None = None) -> Any:
        """Return (B, H', W', C) for maps (B, H, W, C)."""
        layer = self.convolution
        if not training or not layer.trainable:
            return layer(x)
        # Reshape, to get a tensor also where the backend would go on with its variable.
        kernel = ops.cast(ops.reshape(layer.kernel, layer.kernel.shape), x.dtype)
        result = convolve_depthwise(x, kernel, layer.strides[0], layer.padding)
        return layer.activation(_add(result, layer.bias if layer.use_bias else None))

    def compute_output_spec(self, x: Any, training: bool | None = None) -> keras.KerasTensor:
        """Return the shape and type of the result."""
        return keras.KerasTensor(self.convolution.compute_output_shape(x.shape), self.compute_dtype)


def normalise(layer: Any, x: Any, training: bool | None = True) -> Any:
    """Apply a BatchNormalization layer, and update its moving statistics in training, as the layer itself does."""
    if not training or not layer.trainable:
        return layer(x, training=False)
    gamma = ops.convert_to_tensor(layer.gamma) if layer.scale else ops.ones(x.shape[-1])
    beta = ops.convert_to_tensor(layer.beta) if layer.center else ops.zeros(x.shape[-1])
    result = normalise_batch(x, gamma, beta, layer.epsilon)
    if result is None:
        return layer(x, training=True)
    normalised, mean, variance = result
    for moving, value in ((layer.moving_mean, mean), (layer.moving_variance, variance)):
        moving.assign(moving * layer.momentum + value * (1 - layer.momentum))
    return ops.cast(normalised, layer.compute_dtype)


def _scale_and_offset(layer: Any) -> tuple[Any, Any]:
    """Return the factor and the summand of each channel, (C,), by which a layer with fixed statistics normalises."""
    scale = ops.rsqrt(ops.convert_to_tensor(layer.moving_variance) + layer.epsilon)
    if layer.scale:
        scale = scale * layer.gamma
    offset = -scale * layer.moving_mean
    return scale, offset + layer.beta if layer.center else offset


def _add(x: Any, bias: Any) -> Any:
    return x if bias is None else ops.add(x, ops.cast(bias, x.dtype))


def _joined(tensors: Sequence[Any], axis: int) -> Any:
    return tensors[0] if len(tensors) == 1 else ops.concatenate(tensors, axis)
