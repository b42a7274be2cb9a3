"""The model that is trained: a network, its losses and the weighting that joins them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np
from keras import ops

from ..components.weighting_layer import WeightingLayer
from ..conventions import LossFunction
from ..data.targets import split_targets
from ..networks.heads import PRESENCE, presence_loss, scored_network, split_heads
from ..networks.keras_backend import value_and_gradient
from .averaging import EpochAverage, kept
from .statistics import normalisations, recompute_statistics


class SegmentationTask(keras.Model):
    """Owns a network and its objective, and so the trainable state of both.

    What is saved for use is `scored`, the network without auxiliary heads; the task never leaves the training. The
    heads count `head_weights` of the main one, in the order in which the network names them; ½, ¼, ⅛, … by default.
    `ignore_classes` are the classes that count in no loss.
    """

    def __init__(
        self,
        network: keras.Model,
        losses: Mapping[str, LossFunction],
        weighting: WeightingLayer,
        ignore_classes: Sequence[int] = (),
        head_weights: Sequence[float] | None = None,
        averaging: str = "none",
    ) -> None:
        super().__init__(name="task")
        self.network = network
        self.scored = scored_network(network)
        self.ignore_classes = tuple(ignore_classes)
        heads = split_heads(network.output)[1]
        self._head_weights = tuple(head_weights or (0.5**position for position in range(1, len(heads) + 1)))
        self.weighting = weighting
        self._loss_functions = dict(losses)
        # One loss alone is the objective itself, which Keras tracks as "loss".
        tracked = losses if len(losses) > 1 else {}
        self._loss_trackers = {name: keras.metrics.Mean(name=f"loss_{name}") for name in tracked}
        if not self.weighting.built:
            self.weighting.build((self.weighting.count,))
        self._averaging = averaging
        self.average = EpochAverage(network) if averaging == "swa" else None
        # Batches of images, set by what prepares the training: averaged weights get their own statistics from them.
        self.calibration: Callable[[], Iterable[np.ndarray]] | None = None
        self._statistics: tuple[int, list[np.ndarray]] = (-1, [])
        self.built = True

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """The network has its averaged weights inside, where the training averages them."""
        if self.average is not None and not self.average.empty:
            with kept(self.network.weights):
                for weight, value in zip(self.network.weights, self.average.values(), strict=True):
                    weight.assign(value)
                self._normalise()
                yield
        elif self._averaging == "ema":
            # Weights of the task that are not the network's, such as a weighting's, are averaged along.
            with kept([*self.trainable_variables, *self.network.non_trainable_weights]):
                optimizer: Any = getattr(self.optimizer, "inner_optimizer", self.optimizer)
                optimizer.finalize_variable_values(self.trainable_variables)
                for weight in self.trainable_variables:
                    # An array of its own: JAX gives away the buffers of a network that predicts, and the average's
                    # must stay.
                    weight.assign(np.array(ops.convert_to_numpy(weight)))
                self._normalise()
                yield
        else:
            yield

    def _normalise(self) -> None:
        """Give the normalisations the statistics that belong to the weights as they are, once after each step."""
        layers = normalisations(self.network)
        if self.calibration is None or not layers:
            return
        moving = [weight for layer in layers for weight in layer.non_trainable_weights]
        step = int(self.optimizer.iterations)
        if self._statistics[0] == step:
            for weight, value in zip(moving, self._statistics[1], strict=True):
                weight.assign(value)
        else:
            recompute_statistics(self.network, layers, self.calibration())
            self._statistics = (step, [np.array(ops.convert_to_numpy(weight)) for weight in moving])

    @property
    def loss_names(self) -> tuple[str, ...]:
        return tuple(self._loss_functions)

    def call(self, images: Any, training: bool | None = None) -> Any:
        return self.network(images, training=training)

    def loss_values(self, labels: Any, logits: Any) -> dict[str, Any]:
        """Each loss by name: scalars in float32, whatever the precision of the network.

        `labels` (B, H, W) come with the losses' targets where they have some (`data.targets.with_targets`).
        """
        logits = ops.cast(logits, "float32")
        return {name: self._loss_value(name, labels, logits) for name in self._loss_functions}

    def _loss_value(self, name: str, labels: Any, logits: Any) -> Any:
        labels, targets = split_targets(labels)
        given = (targets[name],) if name in targets else ()
        return self._loss_functions[name](labels, logits, *given)

    def objective(self, values: Mapping[str, Any]) -> Any:
        """The scalar that is minimised, from each loss by name."""
        return self.weighting(self._joined(values))

    def _joined(self, values: Mapping[str, Any]) -> Any:
        """(n,) the losses that count, as the weighting takes them."""
        return ops.stack([values[name] for name in self.weighting.loss_names])

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Any:
        logits, auxiliary = split_heads(y_pred)
        values = self.loss_values(y, logits)
        for name, tracker in self._loss_trackers.items():
            tracker.update_state(values[name])
        if training:
            norms = self._gradient_norms(y, logits) if self.weighting.uses_gradients else None
            self.weighting.step(ops.stop_gradient(self._joined(values)), norms)
        total = self.objective(values)
        for (name, output), weight in zip(auxiliary.items(), self._head_weights, strict=True):
            if name == PRESENCE:
                loss = presence_loss(split_targets(y)[0], output, self.ignore_classes)
            else:
                loss = self.objective(self.loss_values(y, output))
            total = total + weight * loss
        # What layers add themselves: regularisers and `add_loss`.
        for loss in self.network.losses:
            total = total + ops.sum(ops.cast(loss, "float32"))
        return total

    def _gradient_norms(self, labels: Any, logits: Any) -> Any:
        """(n,) the norm of the gradient of each loss that counts with respect to the logits."""
        logits = ops.stop_gradient(ops.cast(logits, "float32"))
        norms = []
        for name in self.weighting.loss_names:

            def value(at: Any, name: str = name) -> Any:
                return self._loss_value(name, labels, at)

            gradient = value_and_gradient(value, logits)[1]
            norms.append(ops.sqrt(ops.sum(ops.square(gradient))))
        return ops.stack(norms)
