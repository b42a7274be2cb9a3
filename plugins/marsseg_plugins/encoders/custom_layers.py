"""Layers that the encoders use and that Keras does not have."""

from __future__ import annotations

from typing import Any

import keras


@keras.saving.register_keras_serializable(package="marsseg")
class LayerScale(keras.layers.Layer):
    """Multiply each channel by a trained number (Touvron and others, arXiv 2103.17239)."""

    reach = 0

    def __init__(self, initial_value: float, **options: Any) -> None:
        super().__init__(**options)
        self.initial_value = initial_value

    def build(self, shape: tuple[int | None, ...]) -> None:
        initializer = keras.initializers.Constant(self.initial_value)
        self.gamma = self.add_weight(shape=shape[-1:], initializer=initializer, name="gamma")

    def call(self, x: Any) -> Any:
        return x * self.gamma

    def multiply_accumulates(self, shape: tuple[int, ...]) -> int:
        return 0

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "initial_value": self.initial_value}
