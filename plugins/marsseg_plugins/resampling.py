"""Layers that change the size of a feature map as PyTorch does. Keras has no such layers.

Both compute in float32, also under mixed precision, because averages and interpolation lose too many digits in half
precision.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops


@keras.saving.register_keras_serializable(package="marsseg")
class AlignedResizing(keras.layers.Layer):
    """Resize maps bilinearly with aligned corners: (B, h, w, c) → (B, rows, columns, c), float32.

    Output row i of n is interpolated at input row i · (h − 1) / (n − 1), so the first and the last row do not change.
    The same holds for columns. Keras' own layers align the edges of the outermost cells instead ("half-pixel
    centres").
    """

    def __init__(self, rows: int, columns: int, **options: Any) -> None:
        super().__init__(**{"dtype": "float32"} | options)
        self.rows = rows
        self.columns = columns

    def call(self, x: Any) -> Any:
        return _resize_axis(_resize_axis(x, 1, self.rows), 2, self.columns)

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (shape[0], self.rows, self.columns, shape[3])

    def multiply_accumulates(self, shape: tuple[int, ...]) -> int:
        return 0

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"rows": self.rows, "columns": self.columns}


@keras.saving.register_keras_serializable(package="marsseg")
class AdaptiveAveragePooling(keras.layers.Layer):
    """Average maps over a grid of fields: (B, h, w, c) → (B, rows, columns, c), float32.

    Field i of n covers the cells from floor(i · h / n) up to, but not including, ceil((i + 1) · h / n). All fields have
    nearly the same size, at most ceil(h / n) + 1 cells. Neighbours share a cell where n does not divide h.
    """

    def __init__(self, rows: int, columns: int, **options: Any) -> None:
        super().__init__(**{"dtype": "float32"} | options)
        self.rows = rows
        self.columns = columns

    def call(self, x: Any) -> Any:
        over_rows, over_columns = averaging(x.shape[1], self.rows), averaging(x.shape[2], self.columns)
        return ops.einsum("sj,brjc->brsc", over_columns, ops.einsum("ri,bijc->brjc", over_rows, x))

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (shape[0], self.rows, self.columns, shape[3])

    def multiply_accumulates(self, shape: tuple[int, ...]) -> int:
        return 0

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"rows": self.rows, "columns": self.columns}


def averaging(cells: int, fields: int) -> np.ndarray:
    """Return the weight of each cell in the average of each field, (fields, cells) float32."""
    first = np.arange(fields) * cells // fields
    end = -(-np.arange(1, fields + 1) * cells // fields)
    cell = np.arange(cells)
    covered = (cell >= first[:, None]) & (cell < end[:, None])
    return (covered / covered.sum(1, keepdims=True)).astype("float32")


def _resize_axis(x: Any, axis: int, count: int) -> Any:
    """Resize one axis to `count` cells: interpolate linearly between the two input cells around each position."""
    cells = x.shape[axis]
    position = np.arange(count) * ((cells - 1) / max(1, count - 1))
    index = np.minimum(position.astype(int), max(0, cells - 2))
    fraction = (position - index).astype("float32").reshape([-1 if i == axis else 1 for i in range(4)])
    before, after = ops.take(x, index, axis=axis), ops.take(x, np.minimum(index + 1, cells - 1), axis=axis)
    return before + (after - before) * fraction
