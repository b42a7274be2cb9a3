"""Layers that add the position of each token, for transformers."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops


@keras.saving.register_keras_serializable(package="marsseg")
class LearnedPositions(keras.layers.Layer):
    """Add one learned vector to each token: (B, n, c) → (B, n, c)."""

    def build(self, shape: tuple[int | None, ...]) -> None:
        # 0.02 as in ViT (arXiv 2010.11929).
        start = keras.initializers.TruncatedNormal(stddev=0.02)
        self.positions = self.add_weight(shape=(1, *shape[1:]), initializer=start, name="positions")

    def call(self, tokens: Any) -> Any:
        return tokens + self.positions

    def multiply_accumulates(self, shape: tuple[int, ...]) -> int:
        return 0


@keras.saving.register_keras_serializable(package="marsseg")
class SinusoidalPositions(keras.layers.Layer):
    """Add sines and cosines of the row and the column to each token: (B, rows · columns, c) → the same shape.

    The row is in the first half of the channels, the column in the second half.
    """

    def __init__(self, rows: int, columns: int, **options: Any) -> None:
        super().__init__(**options)
        self.rows = rows
        self.columns = columns

    def build(self, shape: tuple[int | None, ...]) -> None:
        channels = shape[-1]
        assert channels is not None
        row, column = np.divmod(np.arange(self.rows * self.columns), self.columns)
        half = -(-channels // 2)
        table = np.concatenate([_waves(row, half), _waves(column, half)], axis=-1)[:, :channels]
        self._table = table[None].astype("float32")

    def call(self, tokens: Any) -> Any:
        return tokens + ops.cast(self._table, tokens.dtype)

    def multiply_accumulates(self, shape: tuple[int, ...]) -> int:
        return 0

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"rows": self.rows, "columns": self.columns}


def _waves(position: np.ndarray, channels: int) -> np.ndarray:
    """Return sines and cosines of the positions (n,), (n, channels), of wavelengths 2π to 10,000 · 2π.

    Source: arXiv 1706.03762.
    """
    pairs = -(-channels // 2)
    angle = position[:, None] / 10_000 ** (np.arange(pairs) / pairs)
    return np.concatenate([np.sin(angle), np.cos(angle)], axis=-1)[:, :channels]
