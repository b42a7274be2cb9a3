"""Convolve maps that are enlarged by repetition, at the size they had before.

A map that is enlarged by a factor s has s × s equal cells for each cell of the small map. So a 3×3 convolution of it
can multiply each cell of the small map with each of the nine taps of the kernel, and add the nine products to the
output cells around it. The multiplications are 1/s² of those of the plain convolution; the rest is additions.
Alternatively, a transposed convolution with stride s, whose taps are sums of taps, takes (s + 2)² / 9s² of the
multiplications, and no additions of its own.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import keras
import numpy as np
from keras import ops

from .keras_backend.functions import with_own_gradient


def convolve_enlarged(maps: Sequence[Any], factors: Sequence[int], kernels: Sequence[Any]) -> Any:
    """Return the sum of the convolutions, padded with zeros to the same size, of several enlarged maps.

    Map i is (B, H / s, W / s, C) with its own s = `factors[i]` ≥ 2 and its own C. Kernel i is (k, k, C, F), k = 1 or 3.
    The result is (B, H, W, F). The gradients are those of the plain convolution of the enlarged maps, but are computed
    at the small sizes too.
    """
    return _convolution(tuple(factors))(*maps, *kernels)


@lru_cache
def _convolution(factors: tuple[int, ...]) -> Any:
    """Return a function from maps and kernels to the sum of convolutions, with its gradient."""
    count = len(factors)

    def convolution(*tensors: Any) -> Any:
        maps, kernels = tensors[:count], tensors[count:]
        parts = [_forward(x, factor, kernel) for x, factor, kernel in zip(maps, factors, kernels, strict=True)]

        def gradient(output_gradient: Any) -> tuple[Any, ...]:
            pairs = [
                _backward(x, factor, kernel, output_gradient)
                for x, factor, kernel in zip(maps, factors, kernels, strict=True)
            ]
            return (*(pair[0] for pair in pairs), *(pair[1] for pair in pairs))

        return _sum(parts), gradient

    return with_own_gradient(convolution)


def _forward(x: Any, factor: int, kernel: Any) -> Any:
    if _transposed_is_faster(x, factor):
        return ops.conv_transpose(x, ops.cast(summed_kernel(kernel, factor), x.dtype), strides=factor, padding="same")
    return _spread(_products(x, kernel), factor, kernel.shape[0])


def _transposed_is_faster(x: Any, factor: int) -> bool:
    """Return whether a transposed convolution takes less time than products and their sums.

    It does for few channels on large maps: additions do not become fewer with the channels, and sums of taps do not
    become fewer on smaller maps. The limit was measured on a CPU (`benchmarks/enlarged.py`). XLA joins the additions to
    one pass, so that products are always faster on JAX.
    """
    _, height, width, channels = x.shape
    few_channels: bool = channels * factor < 26 * math.sqrt(height * width)
    return few_channels and keras.backend.backend() != "jax"


def summed_kernel(kernel: Any, factor: int) -> Any:
    """Return the kernel (k + s - 1, k + s - 1, F, C) of the equal transposed convolution with stride s = `factor`.

    Its taps are sums of those of `kernel` (k, k, C, F).
    """
    size = kernel.shape[0] + factor - 1
    margin = [factor - 1, factor - 1]
    padded = ops.pad(ops.flip(kernel, (0, 1)), [margin, margin, [0, 0], [0, 0]])
    rows = _sum([padded[i : i + size] for i in range(factor)])
    return ops.transpose(_sum([rows[:, i : i + size] for i in range(factor)]), (0, 1, 3, 2))


def _products(x: Any, kernel: Any) -> Any:
    """Multiply each cell of x (B, h, w, C) with each tap of a kernel (k, k, C, F): (B, h, w, k, k · F)."""
    size, _, channels, filters = kernel.shape
    taps = ops.reshape(ops.transpose(ops.cast(kernel, x.dtype), (2, 0, 1, 3)), (channels, size * size * filters))
    products = ops.matmul(ops.reshape(x, (-1, channels)), taps)
    return ops.reshape(products, (-1, *x.shape[1:3], size, size * filters))


def _spread(products: Any, factor: int, size: int) -> Any:
    """Add the products (B, h, w, k, k · F) to the cells of the output (B, s · h, s · w, F)."""
    _, height, width, _, depth = products.shape
    filters = depth // size
    rows = ops.stack(_phases([products[:, :, :, i] for i in range(size)], 1, factor), axis=2)
    rows = ops.reshape(rows, (-1, factor * height, width, size, filters))
    columns = ops.stack(_phases([rows[:, :, :, i] for i in range(size)], 2, factor), axis=3)
    return ops.reshape(columns, (-1, factor * height, factor * width, filters))


def _phases(taps: Sequence[Any], axis: int, factor: int) -> list[Any]:
    """Return the sums of taps for each of the `factor` output cells of an input cell, along one axis."""
    if len(taps) == 1:
        return [taps[0]] * factor
    before, centre, after = taps
    # Only the first and the last output cell reach a neighbour of their input cell.
    first, last = _shifted(before, axis, 1) + (centre + after), (before + centre) + _shifted(after, axis, -1)
    return [first, *[before + (centre + after)] * (factor - 2), last] if factor > 2 else [first, last]


def _shifted(x: Any, axis: int, step: int) -> Any:
    """Move x by one cell along an axis, to larger indices for `step` 1 and to smaller ones for -1; zeros move in."""
    part, margins = [slice(None)] * len(x.shape), [[0, 0]] * len(x.shape)
    part[axis] = slice(0, -1) if step > 0 else slice(1, None)
    margins[axis] = [1, 0] if step > 0 else [0, 1]
    return ops.pad(x[tuple(part)], margins)


def _backward(x: Any, factor: int, kernel: Any, output_gradient: Any) -> tuple[Any, Any]:
    """Return the gradients of x (B, h, w, C) and kernel (k, k, C, F) for that of the output (B, s · h, s · w, F)."""
    size, _, channels, filters = kernel.shape
    collected = ops.reshape(_collected(output_gradient, factor, size), (-1, filters * size * size))
    taps = ops.reshape(ops.transpose(ops.cast(kernel, x.dtype), (2, 3, 0, 1)), (channels, filters * size * size))
    cells = ops.reshape(x, (-1, channels))
    x_gradient = ops.reshape(ops.matmul(collected, ops.transpose(taps)), (-1, *x.shape[1:]))
    kernel_gradient = ops.reshape(ops.matmul(ops.transpose(cells), collected), (channels, filters, size, size))
    return x_gradient, ops.cast(ops.transpose(kernel_gradient, (2, 3, 0, 1)), kernel.dtype)


def _collected(output_gradient: Any, factor: int, size: int) -> Any:
    """Sum the gradient of the output over the cells that each product was added to: (B, h, w, F · k · k)."""
    filters = output_gradient.shape[-1]
    windows = np.zeros((factor + size - 1, factor + size - 1, 1, size, size), np.float32)
    for row in range(size):
        for column in range(size):
            top, left = size - 1 - row, size - 1 - column
            windows[top : top + factor, left : left + factor, 0, row, column] = 1
    windows = np.tile(windows.reshape(*windows.shape[:3], size * size), (1, 1, filters, 1))
    kernel = ops.convert_to_tensor(windows, output_gradient.dtype)
    return ops.depthwise_conv(output_gradient, kernel, strides=factor, padding="same")


def _sum(tensors: Sequence[Any]) -> Any:
    total = tensors[0]
    for tensor in tensors[1:]:
        total = total + tensor
    return total
