"""Score a network on items of a data set."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import keras
import numpy as np

from ..data.arrays import SegmentationData, scale
from ..networks.compiled import compiled
from ..networks.predictor import HALF, Predictor
from ..planning.resolved import ResolvedComponent
from .confusion import Confusion, check_finite
from .decoding import ARGMAX, Decoding, log_probabilities


def predicted_batches(
    network: keras.Model,
    data: SegmentationData,
    items: np.ndarray,
    batch: int,
    tta: bool = False,
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield the masks (B, H, W) and the logits (B, H, W, K) float32 of the items, in order, batch by batch.

    Where the items are not of the size that the network takes, they are predicted in tiles that share one half. Then
    each item is a batch, and its logits are the logarithms of the blended probabilities. With `tta` too, the logits are
    the logarithms of the probabilities, averaged over the flipped copies of the item.

    Raises RunError, which names the item, where the logits of an item are not finite.
    """
    sizes = zip(network.input_shape[1:], data.images.shape[1:], strict=True)
    if tta or any(taken not in (None, size) for taken, size in sizes):
        predictor = Predictor([network], tta=tta, overlap=HALF, batch=batch)
        yield from _predicted_one_by_one(predictor, data, items)
        return
    batch, function = min(batch, len(items)), compiled(network)
    for start in range(0, len(items), batch):
        batch_items = items[start : start + batch]
        images = scale(data.images[batch_items])
        # Pad a short last batch with zeros: the network would be compiled again for another batch size.
        padded = np.concatenate([images, np.zeros((batch - len(batch_items), *images.shape[1:]), np.float32)])
        logits = function.logits(padded)[: len(batch_items)]
        for item, item_logits in zip(batch_items, logits, strict=True):
            check_finite(item_logits, f"{data.title(item)} of {data.source}")
        yield data.masks[batch_items], logits


def _predicted_one_by_one(
    predictor: Predictor, data: SegmentationData, items: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    images = (np.asarray(data.images[item]) for item in items)
    for item, probabilities in zip(items, predictor.probabilities(images), strict=True):
        check_finite(probabilities, f"{data.title(item)} of {data.source}")
        yield data.masks[item][None], log_probabilities(probabilities)[None]


def evaluate(
    network: keras.Model,
    data: SegmentationData,
    items: np.ndarray,
    batch: int,
    metrics: Sequence[ResolvedComponent] = (),
    decoding: Decoding = ARGMAX,
    tta: bool = False,
) -> Confusion:
    """Predict the items with the network, and return their confusion matrices with these further metrics.

    `tta` is that of `predicted_batches`.
    """
    (confusion,) = evaluate_decodings(network, data, items, batch, metrics, [decoding], tta)
    return confusion


def evaluate_decodings(
    network: keras.Model,
    data: SegmentationData,
    items: np.ndarray,
    batch: int,
    metrics: Sequence[ResolvedComponent],
    decodings: Sequence[Decoding],
    tta: bool = False,
) -> list[Confusion]:
    """Predict the items once, and return the confusion matrices of each decoding; see `evaluate`."""
    groups = None if data.groups is None else data.groups[items]
    confusions = [Confusion(data.class_names, data.ignore_classes, metrics, groups=groups) for _ in decodings]
    for masks, logits in predicted_batches(network, data, items, batch, tta):
        for confusion, decoding in zip(confusions, decodings, strict=True):
            confusion.update(masks, decoding.of_logits(logits))
    return confusions
