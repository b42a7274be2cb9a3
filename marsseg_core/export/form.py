"""The form in which a network is exported: with all that is done to images before it, and to its logits after it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil, floor
from typing import Any, Final

import keras
import numpy as np
from keras import ops

from ..components.exports import INPUT_NAME
from ..data.arrays import scale
from ..data.scaling import Scaling, scaled_values
from ..errors import RequestError
from ..evaluation.confusion import decode
from ..evaluation.decoding import ARGMAX, Decoding, log_probabilities
from ..networks.compiled import compiled
from ..networks.keras_backend.settings import precision
from ..networks.labels import labels_of
from ..networks.local import locality, resized

# The longest table of scaled values: that of 16 bits.
_LONGEST_TABLE: Final = 2**16

# The types in which an exported network takes the values of an image, by the kind of numbers of the scaling.
_TYPES: Final = {"bytes": "uint8", "integers": "int32", "floats": "float32"}


@dataclass(frozen=True)
class Form:
    """Describe what an exported network takes and gives.

    Attributes:
        output: "logits", "probabilities" or "labels"
        scaling: how the values of image files become 0 to 255; None if they are 0 to 255
        scaled: whether the images are float32 in [0, 1] already, as the network itself takes them
        free: whether the height and the width are free
        ignore_classes: the classes that are never among the labels
        decoding: the offsets that are added to the logits for the labels
    """

    output: str = "logits"
    scaling: Scaling | None = None
    scaled: bool = False
    free: bool = False
    ignore_classes: Sequence[int] = ()
    decoding: Decoding = ARGMAX

    @property
    def dtype(self) -> str:
        """Return the type of the values of the images."""
        if self.scaled:
            return "float32"
        return "uint8" if self.scaling is None else _TYPES[self.scaling.numbers]

    def build(self, network: keras.Model) -> keras.Model:
        """Return a network from images as this form takes them to its output. It shares the weights of `network`."""
        height, width, channels = network.input_shape[1:]
        if self.free:
            height, width, network = None, None, resized(network, None, None)
        images = keras.Input((height, width, channels), dtype=self.dtype, name=INPUT_NAME)
        output = self._output(network(self._input(images)))
        return keras.Model(images, output, name=network.name)

    def _input(self, images: Any) -> Any:
        """Return the images in [0, 1], as `scaled_values` and `scale` compute them."""
        if self.scaled:
            return images
        if self.scaling is None:
            return ops.cast(images, "float32") / 255
        low, high = self.scaling.low, self.scaling.high
        first, last = floor(low), ceil(high)
        if self.dtype != "float32" and last - first < _LONGEST_TABLE:
            # A table, because other arithmetic may round a value in the middle between two the other way.
            table, _ = scaled_values(np.arange(first, last + 1), low, high)
            places = ops.clip(ops.cast(images, "int32"), first, last) - first
            return ops.take(scale(table), places, axis=0)
        values = ops.clip(ops.cast(images, "float32"), low, high)
        return ops.round((values - low) * 255 / (high - low)) / 255

    def _output(self, logits: Any) -> Any:
        if self.output == "logits":
            return logits
        if self.output == "probabilities":
            return ops.softmax(logits)
        if any(self.decoding.offsets):
            # In this order, because Keras makes a bias of the other one, and tf2onnx joins no two with a convolution.
            logits = ops.add(np.asarray(self.decoding.offsets, np.float32), logits)
        if not self.ignore_classes:
            return labels_of(logits)
        # Not by a very small offset: whole numbers of 8 bits could not tell the other logits apart.
        counted = [c for c in range(logits.shape[-1]) if c not in self.ignore_classes]
        labels = labels_of(ops.take(logits, counted, axis=-1))
        return ops.take(np.asarray(counted, np.uint8), ops.cast(labels, "int32"), axis=0)

    def reference(self, network: keras.Model) -> Callable[[np.ndarray], np.ndarray]:
        """Return a function that computes what marsseg itself computes for images as this form takes them.

        The network is compiled once, as for a prediction. Call this again when its weights have changed.
        """
        function = compiled(network)

        def compute(images: np.ndarray) -> np.ndarray:
            if not self.scaled:
                if self.scaling is not None:
                    images, _ = scaled_values(images, self.scaling.low, self.scaling.high)
                images = scale(images)
            logits = function.logits(images)
            if self.output == "logits":
                return logits
            if self.output == "probabilities":
                powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
                probabilities: np.ndarray = powers / powers.sum(axis=-1, keepdims=True)
                return probabilities
            return decode(self.decoding.of_logits(logits), self.ignore_classes)

        return compute

    def logits(self, output: np.ndarray, classes: int) -> np.ndarray:
        """Return logits (B, H, W, K) with the same labels as an output of this form."""
        if self.output == "logits":
            return output
        if self.output == "probabilities":
            return log_probabilities(output)
        ones: np.ndarray = np.eye(classes, dtype=np.float32)[output]
        return ones

    def taken(self, images: np.ndarray) -> np.ndarray:
        """Return images of uint8 (B, H, W, C) as this form takes them: with the values of the image files."""
        if self.scaled:
            return scale(images)
        if self.scaling is None:
            return images
        values = self.scaling.low + images / 255 * (self.scaling.high - self.scaling.low)
        return (values if self.dtype == "float32" else np.rint(values)).astype(self.dtype)


def in_float32(network: keras.Model) -> keras.Model:
    """Return a copy of a network that computes in float32, whatever its own precision is."""
    config = keras.saving.serialize_keras_object(network)
    with precision():
        copy = keras.saving.deserialize_keras_object(_with_float32_policies(config))
    copy.set_weights(network.get_weights())
    return copy


def _with_float32_policies(config: Any) -> Any:
    if isinstance(config, dict):
        if config.get("class_name") == "DTypePolicy":
            return config | {"config": {"name": "float32"}}
        return {key: _with_float32_policies(value) for key, value in config.items()}
    if isinstance(config, list | tuple):
        return type(config)(map(_with_float32_policies, config))
    return config


def stride_of(network: keras.Model) -> int:
    """Return the number that the height and width of images must be multiples of, where a network allows any size.

    Raises RequestError where the network does not allow it.
    """
    local = locality(network)
    if local is None:
        height, width = network.input_shape[1:3]
        raise RequestError(
            f"This network takes images of {height} × {width} pixels only: what it computes for a pixel depends on the "
            "whole image, or on its size.",
            where="--size free",
            hint="Leave --size out, and cut larger images into tiles.",
        )
    return local.stride
