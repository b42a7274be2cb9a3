"""The statistics of batch normalisation for weights that no training step has seen, such as averaged ones."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import keras
import numpy as np

from ..data.arrays import SegmentationData, scale
from .averaging import kept

# More say little more of a mean, and each takes a forward pass.
_MOST: Final = 100


def calibration_batches(data: SegmentationData, items: np.ndarray, batch: int) -> Iterator[np.ndarray]:
    """At most 100 batches (B, H, W, C) in [0, 1] of these items as they are, spread evenly, always the same."""
    batch = min(batch, len(items))
    starts = np.arange(0, len(items) - batch + 1, batch)
    for start in starts[np.unique(np.linspace(0, len(starts) - 1, min(_MOST, len(starts))).astype(int))]:
        yield scale(data.images[items[start : start + batch]])


def normalisations(network: keras.Model) -> list[Any]:
    """The layers of a network that keep moving statistics."""
    layers = network._flatten_layers(include_self=False)
    return [layer for layer in layers if isinstance(layer, keras.layers.BatchNormalization)]


def recompute_statistics(network: keras.Model, layers: Sequence[Any], batches: Iterable[np.ndarray]) -> None:
    """Set the moving statistics of `layers` to the even means over `batches`, with the weights as they are.

    Izmailov and others, arXiv 1803.05407, section 3.2. Draws nothing that a training would miss.
    """
    momenta = [layer.momentum for layer in layers]
    weights = {id(weight) for weight in network.weights}
    with kept([variable for variable in network.variables if id(variable) not in weights]):  # dropout's states
        try:
            for number, images in enumerate(batches):
                for layer in layers:
                    layer.momentum = number / (number + 1)
                network(images, training=True)
        finally:
            for layer, momentum in zip(layers, momenta, strict=True):
                layer.momentum = momentum
