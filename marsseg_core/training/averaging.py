"""Averages of the network's weights, which are scored and saved in place of the last weights."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np

from ..networks.frozen import changing_weights


class EpochAverage(keras.layers.Layer):
    """The mean of a network's weights after each of the last epochs (stochastic weight averaging).

    The weights of frozen networks inside it are left out. Each epoch counts the same. If the network has batch
    normalisation, the task recomputes the moving statistics for the averaged weights
    (`training.statistics`).

    Source: Izmailov and others, arXiv 1803.05407.
    """

    def __init__(self, network: keras.Model) -> None:
        super().__init__(dtype="float32")
        self.sums = [
            self.add_weight(name=f"sum_{i}", shape=weight.shape, initializer="zeros", trainable=False)
            for i, weight in enumerate(changing_weights(network))
        ]
        self.epochs = self.add_weight(name="epochs", shape=(), initializer="zeros", trainable=False)
        self.built = True

    def add(self, network: keras.Model) -> None:
        """Add the network's present weights to the average."""
        for total, weight in zip(self.sums, changing_weights(network), strict=True):
            total.assign_add(keras.ops.cast(weight, "float32"))
        self.epochs.assign_add(1.0)

    @property
    def empty(self) -> bool:
        """Return whether no weights have been added yet."""
        return float(self.epochs) == 0

    def values(self) -> list[np.ndarray]:
        """Return the averaged weights, in the order of `changing_weights`."""
        return [keras.ops.convert_to_numpy(total) / np.float32(self.epochs) for total in self.sums]


@contextmanager
def restored_afterwards(variables: Sequence[Any]) -> Iterator[None]:
    """Restore the present values of the variables when the block ends."""
    before = [np.array(keras.ops.convert_to_numpy(variable)) for variable in variables]
    try:
        yield
    finally:
        for variable, value in zip(variables, before, strict=True):
            variable.assign(value)


class UpdateAverage(keras.callbacks.Callback):
    """Add the weights to the task's `EpochAverage` after each epoch.

    `start` is the share of the training after which this begins; it always includes the last epoch.
    """

    def __init__(self, start: float, epochs: int) -> None:
        super().__init__()
        self._first_epoch = min(math.floor(start * epochs), epochs - 1)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Add the weights of this epoch."""
        if epoch >= self._first_epoch:
            self.model.average.add(self.model.network)
