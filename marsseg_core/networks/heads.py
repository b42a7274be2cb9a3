"""The outputs of a network: the one that is scored, and auxiliary ones that only help to train it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import keras
from keras import ops

MAIN: Final = "logits"
PRESENCE: Final = "presence"


def split_heads(outputs: Any) -> tuple[Any, dict[str, Any]]:
    """What a network gives → its main logits, and the auxiliary outputs by name."""
    if not isinstance(outputs, dict):
        return outputs, {}
    return outputs[MAIN], {name: output for name, output in outputs.items() if name != MAIN}


def scored_network(network: keras.Model) -> keras.Model:
    """The part of a network that is scored and saved for use: from images to the main logits."""
    if not isinstance(network.output, dict):
        return network
    return keras.Model(network.inputs, split_heads(network.output)[0], name=network.name)


def presence_loss(labels: Any, logits: Any, ignore_classes: Sequence[int]) -> Any:
    """Binary cross-entropy of "this class is somewhere in the image": labels (B, H, W), logits (B, K) → scalar.

    It is a mean over images and classes that are not ignored. A class that is labelled anywhere counts 1. One that is
    not counts as much as the image is labelled: it may be where no label is. So a wholly labelled image counts as
    published, one without a label not at all; 0 if none has any.

    Source: UNet 3+, arXiv 2004.08790, its classification-guided module, for each class.
    """
    num_classes = logits.shape[-1]
    counted = [c for c in range(num_classes) if c not in ignore_classes]
    truth = ops.equal(ops.cast(labels, "int32")[..., None], ops.convert_to_tensor(counted, dtype="int32"))
    shares = ops.mean(ops.cast(truth, "float32"), axis=(1, 2))
    present = ops.cast(shares > 0, "float32")
    weight = ops.where(shares > 0, 1.0, ops.sum(shares, axis=-1, keepdims=True))
    logits = ops.take(ops.cast(logits, "float32"), counted, axis=-1)
    entropy = ops.binary_crossentropy(present, logits, from_logits=True)
    scale = ops.sum(weight)
    return ops.sum(weight * entropy) / ops.where(scale > 0, scale, 1.0)
