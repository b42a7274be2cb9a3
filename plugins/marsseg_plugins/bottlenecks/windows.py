"""The attention layer of the Swin bottleneck."""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np
from keras import ops

FORBIDDEN = -1e9


@keras.saving.register_keras_serializable(package="marsseg")
class WindowAttention(keras.layers.Layer):
    """Multi-head self-attention inside windows, with a bias for each relative position: (B, h, w, c) → same shape.

    Windows are at most as large as the map. `shifted` moves their grid by half a window, in each direction that has
    more than one window. The shift is a roll of the map: cells that it brings together from opposite borders do not
    attend to each other. A size that is not a multiple of the window is padded, and no cell attends to the padding.
    """

    def __init__(self, heads: int, key_size: int, window: int, shifted: bool = False, **options: Any) -> None:
        super().__init__(**options)
        self.heads = heads
        self.key_size = key_size
        self.window = window
        self.shifted = shifted

    def build(self, shape: tuple[int | None, ...]) -> None:
        _, rows, columns, channels = shape
        assert rows is not None
        assert columns is not None
        sides = (rows, columns)
        self._window = tuple(min(self.window, side) for side in sides)
        self._padded = tuple(-(-side // size) * size for side, size in zip(sides, self._window, strict=True))
        self._shift = tuple(
            size // 2 if self.shifted and padded > size else 0
            for padded, size in zip(self._padded, self._window, strict=True)
        )
        self._mask = seam_mask(sides, self._window, self._shift)
        self._places = relative_places(self._window)
        self.project_in = keras.layers.Dense(3 * self.heads * self.key_size, dtype=self.dtype_policy, name="in")
        self.project_in.build(shape)
        self.project_out = keras.layers.Dense(channels, dtype=self.dtype_policy, name="out")
        self.project_out.build((*shape[:-1], self.heads * self.key_size))
        # 0.02 as in the paper's code.
        start = keras.initializers.TruncatedNormal(stddev=0.02)
        places = int(self._places.max()) + 1
        self.position_bias = self.add_weight(shape=(places, self.heads), initializer=start, name="position_bias")

    def call(self, x: Any) -> Any:
        _, rows, columns, _ = x.shape
        (window_rows, window_columns), (padded_rows, padded_columns) = self._window, self._padded
        across, down = padded_columns // window_columns, padded_rows // window_rows
        size = self.heads * self.key_size

        x = self.project_in(x)
        x = ops.pad(x, ((0, 0), (0, padded_rows - rows), (0, padded_columns - columns), (0, 0)))
        x = _rolled(x, (-self._shift[0], -self._shift[1]))
        x = ops.reshape(x, (-1, down, window_rows, across, window_columns, 3 * size))
        x = ops.transpose(x, (0, 1, 3, 2, 4, 5))
        x = ops.reshape(x, (-1, down * across, window_rows * window_columns, 3, self.heads, self.key_size))
        query, key, value = (x[:, :, :, i] for i in range(3))

        # In float32: the mask is outside the range of half precision.
        scores = ops.cast(ops.einsum("bwqhk,bwvhk->bwhqv", query, key), "float32") * self.key_size**-0.5
        bias = ops.take(ops.cast(self.position_bias, "float32"), self._places, axis=0)
        scores = scores + ops.transpose(bias, (2, 0, 1)) + self._mask[:, None]
        attention = ops.cast(ops.softmax(scores), value.dtype)

        x = ops.einsum("bwhqv,bwvhk->bwqhk", attention, value)
        x = ops.reshape(x, (-1, down, across, window_rows, window_columns, size))
        x = ops.transpose(x, (0, 1, 3, 2, 4, 5))
        x = ops.reshape(x, (-1, padded_rows, padded_columns, size))
        x = _rolled(x, self._shift)
        return self.project_out(x[:, :rows, :columns])

    def multiply_accumulates(self, shape: tuple[int, ...]) -> int:
        """Count both projections, and the scores and weighted sums of each window."""
        places, channels, size = shape[0] * shape[1], shape[2], self.heads * self.key_size
        padded, window = math.prod(self._padded), math.prod(self._window)
        return places * channels * 4 * size + 2 * padded * window * size

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return shape

    def get_config(self) -> dict[str, Any]:
        options = {"heads": self.heads, "key_size": self.key_size, "window": self.window, "shifted": self.shifted}
        return super().get_config() | options


def _rolled(x: Any, shift: tuple[int, ...]) -> Any:
    """Roll the rows and columns of maps. `ops.roll` is an operation that LiteRT does not have."""
    for axis, step in enumerate(shift, start=1):
        if step:
            length = x.shape[axis]
            parts = ops.split(x, [-step % length], axis=axis)
            x = ops.concatenate(parts[::-1], axis=axis)
    return x


def seam_mask(sides: tuple[int, ...], window: tuple[int, ...], shift: tuple[int, ...]) -> np.ndarray:
    """Return the mask (windows, tokens, tokens) float32 that is added to the attention scores.

    It is 0 where the first token may attend to the second, and FORBIDDEN between opposite borders and to padding.
    """
    regions, inside = [], []
    for side, size, step in zip(sides, window, shift, strict=True):
        rolled = np.arange(-(-side // size) * size) + step
        regions.append(rolled // len(rolled))
        inside.append(rolled % len(rolled) < side)
    region = _tokens(2 * regions[0][:, None] + regions[1], window)
    real = _tokens(inside[0][:, None] & inside[1], window)
    allowed = (region[:, :, None] == region[:, None]) & real[:, None]
    return np.where(allowed, 0, FORBIDDEN).astype("float32")


def relative_places(window: tuple[int, ...]) -> np.ndarray:
    """Return an index (tokens, tokens) for each pair of tokens; equal for equal distances in rows and columns."""
    row, column = (axis.ravel() for axis in np.indices(window))
    rows = row[:, None] - row + window[0] - 1
    columns = column[:, None] - column + window[1] - 1
    return rows * (2 * window[1] - 1) + columns


def _tokens(grid: np.ndarray, window: tuple[int, ...]) -> np.ndarray:
    """Arrange a grid (h, w) as (windows, tokens), in the order of the layer."""
    rows, columns = grid.shape
    split = grid.reshape(rows // window[0], window[0], columns // window[1], window[1])
    return split.transpose(0, 2, 1, 3).reshape(-1, window[0] * window[1])
