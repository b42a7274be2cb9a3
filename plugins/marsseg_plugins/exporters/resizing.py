"""Enlarge maps by the operation that the runtimes of other formats have for this.

Keras repeats the cells of a map (`UpSampling2D`, "nearest") by an operation for each direction. Converters make of them
copies in other orders of the axes, which in some networks take more time than the convolutions.
"""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf


def with_resizing(network: keras.Model) -> keras.Model:
    """Return a functional network, with all networks in it, whose maps are enlarged by TensorFlow's resizing.

    It computes the same with the same variables. Networks of other classes stay as they are.
    """

    def call(layer: Any, *arguments: Any, **options: Any) -> Any:
        if isinstance(layer, keras.Model):
            layer = with_resizing(layer)
        elif _repeats(layer):
            layer = _Resizing(layer.size, name=layer.name)
        return layer(*arguments, **options)

    if type(network).__name__ != "Functional":
        return network
    return keras.models.clone_model(network, clone_function=lambda layer: layer, call_function=call)


def _repeats(layer: Any) -> bool:
    return (
        type(layer) is keras.layers.UpSampling2D
        and layer.interpolation == "nearest"
        and layer.data_format == "channels_last"
    )


class _Resizing(keras.layers.Layer):  # type: ignore[misc]
    """Enlarge maps (B, H, W, C) by repetition of their cells."""

    def __init__(self, factors: tuple[int, int], name: str) -> None:
        super().__init__(name=name)
        self._factors = factors

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        sizes = [
            None if size is None else size * factor for size, factor in zip(shape[1:3], self._factors, strict=True)
        ]
        return (shape[0], *sizes, shape[3])

    def call(self, maps: Any) -> Any:
        known = None not in maps.shape[1:3]
        sizes = maps.shape[1:3] if known else tf.unstack(tf.shape(maps)[1:3])
        size = [size * factor for size, factor in zip(sizes, self._factors, strict=True)]
        # Without half-pixel centres, which ONNX Runtime has no fast way for. For whole factors they change nothing.
        return tf.raw_ops.ResizeNearestNeighbor(images=maps, size=size, half_pixel_centers=False)
