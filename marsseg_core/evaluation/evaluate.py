"""A network's scores on a subset of a data set."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import keras
import numpy as np

from ..data.arrays import SegmentationData, scale
from ..networks.keras_backend import fixed_settings
from ..planning.resolved import ResolvedComponent
from .confusion import Confusion, check_finite


def predicted_batches(
    network: keras.Model, data: SegmentationData, items: np.ndarray, batch: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """(masks (B, H, W), logits (B, H, W, K) float32) for the items, in order.

    RunError names an item for which the network's logits are not finite numbers.
    """
    batch = min(batch, len(items))
    for start in range(0, len(items), batch):
        chosen = items[start : start + batch]
        images = scale(data.images[chosen])
        # A short last batch is filled up: each new shape would cost a trace.
        filled = np.concatenate([images, np.zeros((batch - len(chosen), *images.shape[1:]), np.float32)])
        with fixed_settings():
            logits = np.asarray(network.predict_on_batch(filled), np.float32)[: len(chosen)]
        for item, each in zip(chosen, logits, strict=True):
            check_finite(each, f"item {item} of {data.source}")
        yield data.masks[chosen], logits


def evaluate(
    network: keras.Model,
    data: SegmentationData,
    items: np.ndarray,
    batch: int,
    metrics: Sequence[ResolvedComponent] = (),
) -> Confusion:
    """Every score of the confusion matrix of `network` on these items, and what these metrics say."""
    confusion = Confusion(data.class_names, data.ignore_classes, metrics)
    for masks, logits in predicted_batches(network, data, items, batch):
        confusion.update(masks, logits)
    return confusion
