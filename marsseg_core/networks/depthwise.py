"""Compute the gradient of a depthwise kernel on small maps by products of matrices.

TensorFlow's own operation takes longer for a map of 2 × 4 cells than for one of 32 × 64, since it goes through the
channels one by one.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import keras
import numpy as np
from keras import ops

from .keras_backend.functions import with_own_gradient
from .keras_backend.kernels import depthwise_input_gradient


def has_fast_gradient(size: tuple[int, int], kernel: tuple[int, int], strides: int, padding: str) -> bool:
    """Return whether `convolve_depthwise` has a faster gradient than the backend, for maps of this size.

    The limit was measured on a CPU (`benchmarks/depthwise.py`): the backend's time grows with the cells of the kernel,
    that of the products with the pairs of input and output cells.
    """
    if keras.backend.backend() != "tensorflow":
        return False
    pairs = np.prod([side * _along(side, cells, strides, padding)[0] for side, cells in zip(size, kernel, strict=True)])
    return bool(pairs <= 41 * np.prod(kernel))


def convolve_depthwise(x: Any, kernel: Any, strides: int, padding: str) -> Any:
    """Convolve each channel of maps (B, H, W, C) with its own kernel, (k, l, C, 1). Returns (B, H', W', C)."""
    return _convolution(strides, padding)(x, kernel)


@lru_cache
def _convolution(strides: int, padding: str) -> Any:
    """Return a function from maps and kernel to the convolution, with its gradient."""

    def convolution(x: Any, kernel: Any) -> Any:
        def gradient(output_gradient: Any) -> tuple[Any, Any]:
            x_gradient = depthwise_input_gradient(x, kernel, output_gradient, strides, padding)
            return x_gradient, _kernel_gradient(x, kernel, output_gradient, strides, padding)

        return ops.depthwise_conv(x, kernel, strides=strides, padding=padding), gradient

    return with_own_gradient(convolution)


def _kernel_gradient(x: Any, kernel: Any, output_gradient: Any, strides: int, padding: str) -> Any:
    """Return the gradient of the kernel: for each channel, multiply all output cells with all input cells.

    Each product belongs to one tap of the kernel, or to none.
    """
    channels = x.shape[-1]
    inputs, outputs = _cells(x), _cells(output_gradient)
    products = ops.matmul(ops.transpose(outputs, (2, 1, 0)), ops.transpose(inputs, (2, 0, 1)))
    taps = _taps(tuple(x.shape[1:3]), tuple(kernel.shape[:2]), strides, padding)
    sums = ops.matmul(ops.reshape(products, (channels, -1)), ops.convert_to_tensor(taps))
    return ops.cast(ops.reshape(ops.transpose(sums), kernel.shape), kernel.dtype)


def _cells(maps: Any) -> Any:
    """Return maps (B, H, W, C) as (B, H · W, C), in float32."""
    return ops.reshape(ops.cast(maps, "float32"), (-1, maps.shape[1] * maps.shape[2], maps.shape[3]))


@lru_cache
def _taps(size: tuple[int, int], kernel: tuple[int, int], strides: int, padding: str) -> np.ndarray:
    """Return which tap joins an output cell with an input cell: zeros and ones, (H' · W' · H · W, k · l)."""
    rows, columns = (_taps_along(side, cells, strides, padding) for side, cells in zip(size, kernel, strict=True))
    taps: np.ndarray = np.einsum("ahi,bwj->abhwij", rows, columns)
    return taps.reshape(-1, kernel[0] * kernel[1])


def _taps_along(side: int, cells: int, strides: int, padding: str) -> np.ndarray:
    """Return `_taps` along one axis, (outputs, inputs, taps)."""
    count, before = _along(side, cells, strides, padding)
    taps = np.zeros((count, side, cells), np.float32)
    for output in range(count):
        for tap in range(cells):
            cell = output * strides + tap - before
            if 0 <= cell < side:
                taps[output, cell, tap] = 1
    return taps


def _along(side: int, cells: int, strides: int, padding: str) -> tuple[int, int]:
    """Return the number of output cells along an axis, and the zeros before its first input cell."""
    if padding == "valid":
        return max(0, (side - cells) // strides + 1), 0
    count = -(-side // strides)
    return count, max(0, (count - 1) * strides + cells - side) // 2
