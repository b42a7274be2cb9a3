"""Enlarge maps by the operation that the runtimes of other formats have for this.

Keras repeats the cells of a map (`UpSampling2D`, "nearest") by an operation for each direction. Converters make of them
copies in other orders of the axes, which in some networks take more time than the convolutions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras

Factors = tuple[int, int]


def with_resizing(network: keras.Model, enlarge: Callable[[Any, Factors], Any]) -> keras.Model:
    """Return a functional network, with all networks in it, whose maps are enlarged by a function.

    It computes the same with the same variables, if `enlarge(maps, factors)` repeats the cells of maps (B, H, W, C).
    Networks of other classes stay as they are.
    """

    def call(layer: Any, *arguments: Any, **options: Any) -> Any:
        if isinstance(layer, keras.Model):
            layer = with_resizing(layer, enlarge)
        elif _repeats(layer):
            layer = _Resizing(layer.size, enlarge, layer.name)
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
    """Enlarge maps (B, H, W, C) by a function."""

    def __init__(self, factors: Factors, enlarge: Callable[[Any, Factors], Any], name: str) -> None:
        super().__init__(name=name)
        self._factors, self._enlarge = factors, enlarge

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        sizes = [
            None if size is None else size * factor for size, factor in zip(shape[1:3], self._factors, strict=True)
        ]
        return (shape[0], *sizes, shape[3])

    def call(self, maps: Any) -> Any:
        return self._enlarge(maps, self._factors)
