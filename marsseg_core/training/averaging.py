"""Averages of the network's weights, which are scored and kept in the place of the last ones."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np


class EpochAverage(keras.layers.Layer):
    """The even mean of a network's weights after each of the last epochs (stochastic weight averaging).

    Where there are normalisations, the task computes their statistics anew (`statistics.recompute_statistics`).
    Izmailov and others, arXiv 1803.05407.
    """

    def __init__(self, network: keras.Model) -> None:
        super().__init__(dtype="float32")
        self.sums = [
            self.add_weight(name=f"sum_{i}", shape=weight.shape, initializer="zeros", trainable=False)
            for i, weight in enumerate(network.weights)
        ]
        self.epochs = self.add_weight(name="epochs", shape=(), initializer="zeros", trainable=False)
        self.built = True

    def add(self, network: keras.Model) -> None:
        """Take in the weights as they are now."""
        for total, weight in zip(self.sums, network.weights, strict=True):
            total.assign_add(keras.ops.cast(weight, "float32"))
        self.epochs.assign_add(1.0)

    @property
    def empty(self) -> bool:
        return float(self.epochs) == 0

    def values(self) -> list[np.ndarray]:
        return [keras.ops.convert_to_numpy(total) / np.float32(self.epochs) for total in self.sums]


@contextmanager
def kept(variables: Sequence[Any]) -> Iterator[None]:
    """Whatever is assigned to the variables inside is undone at the end."""
    before = [np.array(keras.ops.convert_to_numpy(variable)) for variable in variables]
    try:
        yield
    finally:
        for variable, value in zip(variables, before, strict=True):
            variable.assign(value)


class TakeIn(keras.callbacks.Callback):
    """Takes the weights after each epoch from `start` (share of the training) on into the task's `EpochAverage`."""

    def __init__(self, start: float, epochs: int) -> None:
        super().__init__()
        self._first = min(math.floor(start * epochs), epochs - 1)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if epoch >= self._first:
            self.model.average.add(self.model.network)
