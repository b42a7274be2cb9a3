"""The outputs of a network: the one that is scored, and auxiliary ones that only help to train it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import keras
from keras import ops

from ..components import VOID

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


def presence_loss(labels: Any, logits: Any, ignored: Sequence[int]) -> Any:
    """Binary cross-entropy of "this class is somewhere in the image": labels (B, H, W), logits (B, K) → scalar.

    Classes that are ignored do not count. Source: UNet 3+, arXiv 2004.08790, its classification-guided module, for
    each class.
    """
    num_classes = logits.shape[-1]
    counted = [c for c in range(num_classes) if c not in ignored]
    labels = ops.cast(labels, "int32")
    one_hot = ops.one_hot(ops.where(ops.equal(labels, VOID), -1, labels), num_classes)
    present = ops.take(ops.max(one_hot, axis=(1, 2)), counted, axis=-1)
    logits = ops.take(ops.cast(logits, "float32"), counted, axis=-1)
    return ops.mean(ops.binary_crossentropy(present, logits, from_logits=True))
