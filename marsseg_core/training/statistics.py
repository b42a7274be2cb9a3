"""Recompute the moving statistics of batch normalisation for averaged weights, which no training step has used."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import keras
import numpy as np

from ..data.arrays import SegmentationData, scale
from ..networks.frozen import frozen_layers
from .averaging import restored_afterwards

# More batches hardly change the means, and each one takes a forward pass.
_MAX_BATCHES: Final = 100


def calibration_batches(
    data: SegmentationData, items: np.ndarray, batch: int, crop: tuple[int, int] | None = None
) -> Iterator[np.ndarray]:
    """Yield at most 100 batches (B, H, W, C) of these items, not augmented, with values in [0, 1].

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
    """Return the batch normalisation layers of a network, except those of frozen networks inside of it."""
    frozen = {id(layer) for outer in frozen_layers(network) for layer in outer._flatten_layers()}
    layers = network._flatten_layers(include_self=False)
    return [layer for layer in layers if isinstance(layer, keras.layers.BatchNormalization) and id(layer) not in frozen]


def recompute_statistics(network: keras.Model, layers: Sequence[Any], batches: Iterable[np.ndarray]) -> None:
    """Set the moving statistics of `layers` to their means over `batches`, with the network's present weights.

    Each batch counts the same. The states of random generators (dropout) are restored afterwards, so that a training
    continues with the same random numbers.

    Source: Izmailov and others, arXiv 1803.05407, section 3.2.
    """
    momenta = [layer.momentum for layer in layers]
    weights = {id(weight) for weight in network.weights}
    generator_states = [variable for variable in network.variables if id(variable) not in weights]
    with restored_afterwards(generator_states):
        try:
            for number, images in enumerate(batches):
                for layer in layers:
                    layer.momentum = number / (number + 1)
                network(images, training=True)
        finally:
            for layer, momentum in zip(layers, momenta, strict=True):
                layer.momentum = momentum
