"""The network that is trained, as a semi-supervised method uses it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from ..networks.fast import fast_network
from ..networks.heads import split_heads


class NetworkStudent:
    """Compute logits of images without labels with a network, as `components.semi_layer.Student` describes."""

    def __init__(self, network: keras.Model) -> None:
        self._network = network
        self.weights: Sequence[Any] = network.weights

    def logits(self, images: Any, weights: Sequence[Any] | None = None) -> Any:
        """Return the logits (B, H, W, K) of the network in its training mode, with `weights` in place of its own."""
        network = fast_network(self._network)
        replaced = {} if weights is None else dict(zip(map(id, self.weights), weights, strict=True))
        trained, others = (
            [ops.convert_to_tensor(replaced.get(id(variable), variable)) for variable in variables]
            for variables in (network.trainable_variables, network.non_trainable_variables)
        )
        outputs, updated = network.stateless_call(trained, others, images, training=True)
        # Moving averages stay as they are. Random generators (dropout) go on, or each call would draw the same numbers.
        own = set(map(id, self.weights))
        for variable, value in zip(network.non_trainable_variables, updated, strict=True):
            if id(variable) not in own:
                variable.assign(value)
        return ops.cast(split_heads(outputs)[0], "float32")
