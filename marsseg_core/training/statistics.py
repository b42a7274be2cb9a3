"""Recompute the moving statistics of batch normalisation for averaged weights, which no training step has used."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import keras
import numpy as np

from ..data.arrays import SegmentationData, scale
from ..networks.fast import fast_network
from ..networks.frozen import frozen_layers
from ..networks.keras_backend.functions import compiled
from .averaging import restored_afterwards

# More batches hardly change the means, and each one takes a forward pass after every epoch.
_MAX_BATCHES: Final = 32


def calibration_batches(
    data: SegmentationData, items: np.ndarray, batch: int, crop: tuple[int, int] | None = None
) -> Iterator[np.ndarray]:
    """Yield at most 32 batches (B, H, W, C) of these items, not augmented, with values in [0, 1].

    With `crop` (rows, columns), they hold the window in the middle of each image. The batches are spread
    evenly over the items, and are the same in each call.
    """
    batch = min(batch, len(items))
    starts = np.arange(0, len(items) - batch + 1, batch)
    for start in starts[np.unique(np.linspace(0, len(starts) - 1, min(_MAX_BATCHES, len(starts))).astype(int))]:
        images = data.images[items[start : start + batch]]
        if crop is not None:
            top, left = ((length - part) // 2 for length, part in zip(images.shape[1:3], crop, strict=True))
            images = images[:, top : top + crop[0], left : left + crop[1]]
        yield scale(images)


def normalisations(network: keras.Model) -> list[Any]:
    """Return the batch normalisation layers of a network, except those of frozen networks inside it."""
    frozen = {id(layer) for outer in frozen_layers(network) for layer in outer._flatten_layers()}
    layers = network._flatten_layers(include_self=False)
    return [layer for layer in layers if isinstance(layer, keras.layers.BatchNormalization) and id(layer) not in frozen]


class Statistics:
    """The moving statistics of a network's batch normalisation layers, to be recomputed for other weights.

    Args:
        network: the network
        layers: its layers whose statistics are recomputed
    """

    def __init__(self, network: keras.Model, layers: Sequence[Any]) -> None:
        self._network = network
        self.layers = layers
        self._momenta = [layer.momentum for layer in layers]
        self._forward = compiled(self._update)

    def recompute(self, batches: Iterable[np.ndarray]) -> None:
        """Set the statistics to their means over `batches`, (B, H, W, C) each, with the network's present weights.

        Each batch counts the same. The states of random generators (dropout) are restored afterwards, so that a
        training continues with the same random numbers.

        Source: Izmailov and others, arXiv 1803.05407, section 3.2.
        """
        weights = {id(weight) for weight in self._network.weights}
        generator_states = [variable for variable in self._network.variables if id(variable) not in weights]
        with restored_afterwards(generator_states):
            for number, images in enumerate(batches):
                self._forward(images, np.float32(number / (number + 1)))

    def _update(self, images: Any, momentum: Any) -> None:
        """Move the statistics towards those of one batch."""
        try:
            for layer in self.layers:
                layer.momentum = momentum
            fast_network(self._network)(images, training=True)
        finally:
            for layer, own in zip(self.layers, self._momenta, strict=True):
                layer.momentum = own
