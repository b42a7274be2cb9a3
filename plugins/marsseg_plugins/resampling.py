"""Layers that change the size of a map as PyTorch does, which Keras has no layer for.

Both compute in float32 under mixed precision too: averages and fractions of a cell lose too much in half precision.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops


@keras.saving.register_keras_serializable(package="marsseg")
class AlignedResizing(keras.layers.Layer):
    """Resizes maps bilinearly with their corners aligned: (B, h, w, c) → (B, rows, columns, c), float32.

    Row i of n is read at i · (h − 1) / (n − 1) of the h rows, so that the first and the last row stay what they are;
    columns likewise. Keras' own layers align the edges of the outermost cells instead ("half-pixel centres").
    """

    def __init__(self, rows: int, columns: int, **options: Any) -> None:
        super().__init__(**{"dtype": "float32"} | options)
        self.rows = rows
        self.columns = columns

    def call(self, x: Any) -> Any:
        return _along(_along(x, 1, self.rows), 2, self.columns)

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (shape[0], self.rows, self.columns, shape[3])

    def multiply_accumulates(self, shape: tuple[int, ...]) -> int:
        return 0

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"rows": self.rows, "columns": self.columns}


@keras.saving.register_keras_serializable(package="marsseg")
class AdaptiveAveragePooling(keras.layers.Layer):
    """Averages maps over a grid of fields: (B, h, w, c) → (B, rows, columns, c), float32.

    Field i of n covers the cells from floor(i · h / n) to below ceil((i + 1) · h / n): all are nearly of one size, at
    most ceil(h / n) + 1 cells, and neighbours share a cell where n does not divide h.
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
    """(fields, cells) float32: what each cell counts for in the average of each field."""
    first = np.arange(fields) * cells // fields
    end = -(-np.arange(1, fields + 1) * cells // fields)
    cell = np.arange(cells)
    covered = (cell >= first[:, None]) & (cell < end[:, None])
    return (covered / covered.sum(1, keepdims=True)).astype("float32")


def _along(x: Any, axis: int, count: int) -> Any:
    """Resize one axis: each place is a mixture of the two cells that it lies between."""
    cells = x.shape[axis]
    place = np.arange(count) * ((cells - 1) / max(1, count - 1))
    before = np.minimum(place.astype(int), max(0, cells - 2))
    share = (place - before).astype("float32").reshape([-1 if each == axis else 1 for each in range(4)])
    x, after = ops.take(x, before, axis=axis), ops.take(x, np.minimum(before + 1, cells - 1), axis=axis)
    return x + (after - x) * share
