"""Find the encoder in a network, and choose which of its weights and statistics a training changes."""

from __future__ import annotations

from typing import Any

import keras

from ..components.specs import ENCODER_PREFIX


def encoder_layers(network: keras.Model) -> list[Any]:
    """Return the layers of the encoder, in the order of the network, without the layers inside them."""
    return [layer for layer in network.layers if layer.name.startswith(ENCODER_PREFIX)]


def trained_variables(network: keras.Model) -> list[Any]:
    """Return the variables of the encoder that a training changes by gradients."""
    return [variable for layer in encoder_layers(network) for variable in layer.trainable_variables]


def freeze_encoder(network: keras.Model) -> None:
    """Exclude the encoder's variables from the training.

    Its layers stay as they are, so that the network is saved like any other.
    """
    for variable in trained_variables(network):
        variable.trainable = False


def encoder_normalisations(network: keras.Model) -> list[Any]:
    """Return the batch normalisation layers of the encoder whose statistics move in a training.

    They may be inside other layers.
    """
    layers = [inner for layer in encoder_layers(network) for inner in layer._flatten_layers()]
    return [layer for layer in layers if isinstance(layer, keras.layers.BatchNormalization) and layer.trainable]


def set_statistics_mode(normalisation: Any, *, moving: bool) -> None:
    """Let a batch normalisation use and move the statistics of each batch, or only use the stored ones.

    Its gamma and beta stay as trainable as they are.
    """
    trainable = [variable.trainable for variable in normalisation.weights]
    normalisation.trainable = moving  # if it is False, Keras' layer is in inference mode
    for variable, value in zip(normalisation.weights, trainable, strict=True):
        variable.trainable = value
