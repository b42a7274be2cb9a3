"""The model that is trained: a network, its losses and the weighting that joins them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras
from keras import ops

from ..components import LossFunction
from .heads import PRESENCE, presence_loss, scored_network, split_heads


class SegmentationTask(keras.Model):
    """Owns a network and its objective, and so the trainable state of both.

    What is saved for use is `scored`, the network without auxiliary heads; the task never leaves the training. The
    heads count ½, ¼, ⅛, … of the main one, in the order in which the network names them.
    """

    def __init__(
        self,
        network: keras.Model,
        losses: Mapping[str, LossFunction],
        weighting: keras.layers.Layer,
        ignored: Sequence[int] = (),
    ) -> None:
        super().__init__(name="task")
        self.network = network
        self.scored = scored_network(network)
        self._ignored = tuple(ignored)
        self.weighting = weighting
        self._loss_functions = dict(losses)
        # One loss alone is the objective itself, which Keras tracks as "loss".
        tracked = losses if len(losses) > 1 else {}
        self._loss_trackers = {name: keras.metrics.Mean(name=f"loss_{name}") for name in tracked}
        # Weightings that train have their weights from here on, before the optimiser looks for them.
        self.weighting.build((len(losses),))
        self.built = True

    def call(self, images: Any, training: bool | None = None) -> Any:
        return self.network(images, training=training)

    def loss_values(self, labels: Any, logits: Any) -> dict[str, Any]:
        """Each loss by name: scalars in float32, whatever the precision of the network."""
        logits = ops.cast(logits, "float32")
        return {name: function(labels, logits) for name, function in self._loss_functions.items()}

    def objective(self, values: Mapping[str, Any]) -> Any:
        """The scalar that is minimised, from each loss by name."""
        return self.weighting(ops.stack(list(values.values())))

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Any:
        logits, auxiliary = split_heads(y_pred)
        values = self.loss_values(y, logits)
        for name, tracker in self._loss_trackers.items():
            tracker.update_state(values[name])
        total = self.objective(values)
        for position, (name, output) in enumerate(auxiliary.items(), start=1):
            if name == PRESENCE:
                loss = presence_loss(y, output, self._ignored)
            else:
                loss = self.objective(self.loss_values(y, output))
            total = total + loss / 2**position
        # What layers add themselves: regularisers and `add_loss`.
        for loss in self.network.losses:
            total = total + ops.sum(ops.cast(loss, "float32"))
        return total
