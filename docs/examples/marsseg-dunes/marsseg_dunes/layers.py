"""A custom Keras layer. Because this module imports Keras, components import it only in their `build` methods."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="marsseg_dunes")
class AttentionPool(keras.layers.Layer):
    """Compute the mean of the pixels, weighted by the softmax of a learned score: (B, h, w, c) → (B, 1, 1, c)."""

    def build(self, input_shape: Any) -> None:
        self.score = self.add_weight(name="score", shape=(input_shape[-1], 1), initializer="glorot_uniform")

    def call(self, features: Any) -> Any:
        _, height, width, channels = features.shape
        # Use float32, because half precision overflows in a sum over a large map.
        pixels = ops.reshape(ops.cast(features, "float32"), (-1, height * width, channels))
        weights = ops.softmax(ops.matmul(pixels, ops.cast(self.score, "float32")), axis=1)
        pooled = ops.reshape(ops.sum(weights * pixels, axis=1), (-1, 1, 1, channels))
        return ops.cast(pooled, self.compute_dtype)
