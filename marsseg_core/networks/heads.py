"""Separate the main output of a network, which is scored, from auxiliary heads, which are used in training only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import keras
from keras import ops

MAIN: Final = "logits"
PRESENCE: Final = "presence"


def split_heads(outputs: Any) -> tuple[Any, dict[str, Any]]:
    """Return the main logits, and the auxiliary outputs by name."""
    if not isinstance(outputs, dict):
        return outputs, {}
    return outputs[MAIN], {name: output for name, output in outputs.items() if name != MAIN}


def scored_network(network: keras.Model) -> keras.Model:
    """Return the part of a network that is scored and stored: from images to the main logits."""
    if not isinstance(network.output, dict):
        return network
    return keras.Model(network.inputs, split_heads(network.output)[0], name=network.name)


def presence_loss(labels: Any, logits: Any, ignore_classes: Sequence[int]) -> Any:
    """Return the binary cross-entropy of "this class occurs in the image", for labels (B, H, W) and logits (B, K).

    The scalar result is a weighted mean over images and classes that are not ignored. A class that occurs in the labels
    of an image has the weight 1. A class that does not may still occur in unlabelled pixels, so its weight is the share
    of labelled pixels in the image. Therefore a completely labelled image counts as in the publication, and an image
    without any label does not count. The result is 0 if no image has a label.

    Source: UNet 3+, arXiv 2004.08790, classification-guided module, applied to each class.
    """
    num_classes = logits.shape[-1]
    classes = [c for c in range(num_classes) if c not in ignore_classes]
    truth = ops.equal(ops.cast(labels, "int32")[..., None], ops.convert_to_tensor(classes, dtype="int32"))
    shares = ops.mean(ops.cast(truth, "float32"), axis=(1, 2))
    present = ops.cast(shares > 0, "float32")
    weight = ops.where(shares > 0, 1.0, ops.sum(shares, axis=-1, keepdims=True))
    logits = ops.take(ops.cast(logits, "float32"), classes, axis=-1)
    entropy = ops.binary_crossentropy(present, logits, from_logits=True)
    scale = ops.sum(weight)
    return ops.sum(weight * entropy) / ops.where(scale > 0, scale, 1.0)
