"""The Keras model that is trained: a network, its losses and the weighting that combines them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import keras
import numpy as np
from keras import ops

from ..components.semi_layer import SemiLayer, ViewTensors
from ..components.weighting_layer import WeightingLayer
from ..conventions import LossFunction
from ..data.targets import split_targets
from ..data.views import split_views
from ..networks.fast import fast_network
from ..networks.frozen import changing_weights
from ..networks.heads import PRESENCE, presence_loss, scored_network, split_heads
from ..networks.keras_backend.functions import value_and_gradient
from .averaging import EpochAverage, restored_afterwards
from .encoder_training import EncoderTraining
from .statistics import Statistics, normalisations
from .student import NetworkStudent


class SegmentationTask(keras.Model):
    """A network with its losses and their weighting, as one trainable model.

    The task exists during training only. The run folder stores `scored`, the network without auxiliary heads.

    Args:
        network: the network, whose output are logits or a dictionary of logits and auxiliary heads
        losses: the loss functions by name
        weighting: combines the loss values to one scalar
        ignore_classes: the classes that no loss counts
        head_weights: the weight of each auxiliary head relative to the main output, in the network's order of the
            heads; None means ½, ¼, ⅛, …
        averaging: the average of weights that is scored and stored: "none", "ema" or "swa"
        with_images: the names of the losses that also take the images
        encoder: how the encoder is trained; None where it is trained like the rest of the network
        semi: the semi-supervised method, whose term of the objective comes from images without labels; or None
    """

    def __init__(
        self,
        network: keras.Model,
        losses: Mapping[str, LossFunction],
        weighting: WeightingLayer,
        ignore_classes: Sequence[int] = (),
        head_weights: Sequence[float] | None = None,
        averaging: str = "none",
        with_images: Collection[str] = (),
        encoder: EncoderTraining | None = None,
        semi: SemiLayer | None = None,
    ) -> None:
        super().__init__(name="task")
        self.network = network
        fast_network(network)  # build it here, outside the training step
        self.scored = scored_network(network)
        self.encoder = encoder
        self.ignore_classes = tuple(ignore_classes)
        heads = split_heads(network.output)[1]
        self._head_weights = tuple(head_weights or (0.5**position for position in range(1, len(heads) + 1)))
        self.weighting = weighting
        self._loss_functions = dict(losses)
        self.with_images = frozenset(with_images)
        # A single loss equals the objective, which Keras already tracks as "loss".
        tracked = losses if len(losses) > 1 else {}
        self._loss_trackers = {name: keras.metrics.Mean(name=f"loss_{name}") for name in tracked}
        if not self.weighting.built:
            self.weighting.build((self.weighting.count,))
        self.semi = semi
        if semi is not None:
            semi.prepare(NetworkStudent(network))
            self._semi_trackers = [keras.metrics.Mean(name="semi"), keras.metrics.Mean(name="semi_share")]
        self._uses_views = True
        self._averaging = averaging
        self.average = EpochAverage(network) if averaging == "swa" else None
        # Returns batches of images, from which the batch normalisation statistics of averaged weights are computed.
        # Set by `set_up_training`.
        self.calibration: Callable[[], Iterable[np.ndarray]] | None = None
        self._recomputed: Statistics | None = None
        self._statistics: tuple[bytes, list[np.ndarray]] = (b"", [])
        self.built = True

    def use_views(self, used: bool) -> None:
        """Set whether steps compute the term of the images without labels. If not, it is 0 and costs nothing."""
        if used != self._uses_views:
            self._uses_views = used
            if self.train_function is not None:
                self.make_train_function(force=True)

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """Give the network its averaged weights inside the block. Without weight averaging, do nothing."""
        if self.average is not None and not self.average.empty:
            weights = changing_weights(self.network)
            # The mean of equal values may differ from them in the last bit.
            unchanged = {id(weight) for weight in self.encoder.unchanged} if self.encoder else set()
            with restored_afterwards(weights):
                for weight, value in zip(weights, self.average.values(), strict=True):
                    if id(weight) not in unchanged:
                        weight.assign(value)
                self._set_statistics()
                yield
        elif self._averaging == "ema":
            # The optimizer averages all weights of the task, also those of the weighting.
            with restored_afterwards([*self.trainable_variables, *self.network.non_trainable_weights]):
                optimizer: Any = getattr(self.optimizer, "inner_optimizer", self.optimizer)
                optimizer.finalize_variable_values(self.trainable_variables)
                for weight in self.trainable_variables:
                    # Assign a copy: JAX may donate the buffers of a network that predicts, and the optimizer still
                    # needs those of its average.
                    weight.assign(np.array(ops.convert_to_numpy(weight)))
                self._set_statistics()
                yield
        else:
            yield

    def _set_statistics(self) -> None:
        """Set the batch normalisation statistics to those of the present weights.

        They are computed once for the same weights.
        """
        layers = normalisations(self.network)
        if self.encoder:
            layers = self.encoder.moving(layers)
        if self.calibration is None or not layers:
            return
        moving = [weight for layer in layers for weight in layer.non_trainable_weights]
        # Not the number of the step: with gradients that are accumulated, several steps have the same.
        digest = hashlib.blake2b(digest_size=16)
        for weight in self.network.trainable_weights:
            digest.update(ops.convert_to_numpy(weight).tobytes())
        key = digest.digest()
        if self._statistics[0] == key:
            for weight, value in zip(moving, self._statistics[1], strict=True):
                weight.assign(value)
        else:
            with self.encoder.as_in_steps() if self.encoder else nullcontext():
                if self._recomputed is None or self._recomputed.layers != layers:
                    self._recomputed = Statistics(self.network, layers)
                self._recomputed.recompute(self.calibration())
            self._statistics = (key, [np.array(ops.convert_to_numpy(weight)) for weight in moving])

    @property
    def loss_names(self) -> tuple[str, ...]:
        """Return the names of all losses, in the order of the plan."""
        return tuple(self._loss_functions)

    def call(self, images: Any, training: bool | None = None) -> Any:
        """Return the network's output for images (B, H, W, C)."""
        return fast_network(self.network)(images, training=training)

    def loss_values(self, labels: Any, logits: Any, images: Any = None) -> dict[str, Any]:
        """Return each loss by its name: scalars in float32, also in mixed precision.

        `labels` are (B, H, W), joined with the targets of the losses where there are any
        (`data.targets.with_targets`). `logits` are (B, H, W, K). `images` (B, H, W, C) are for the losses that take
        them.
        """
        logits = ops.cast(logits, "float32")
        return {name: self._loss_value(name, labels, logits, images) for name in self._loss_functions}

    def _loss_value(self, name: str, labels: Any, logits: Any, images: Any) -> Any:
        labels, targets = split_targets(labels)
        target = (targets[name],) if name in targets else ()
        options = {"images": images} if name in self.with_images else {}
        return self._loss_functions[name](labels, logits, *target, **options)

    def objective(self, values: Mapping[str, Any]) -> Any:
        """Combine the losses (by name) into the scalar that is minimised."""
        return self.weighting(self._stacked(values))

    def _stacked(self, values: Mapping[str, Any]) -> Any:
        """Return the losses of the weighting as a tensor (n,)."""
        return ops.stack([values[name] for name in self.weighting.loss_names])

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Any:
        """Return the objective of a batch, with the auxiliary heads and the losses of the network's own layers.

        Keras calls this in each step, with images `x`, labels `y` and the network's output `y_pred`.
        """
        y, views = split_views(y)
        logits, auxiliary = split_heads(y_pred)
        values = self.loss_values(y, logits, x)
        for name, tracker in self._loss_trackers.items():
            tracker.update_state(values[name])
        if training:
            norms = self._gradient_norms(x, y, logits) if self.weighting.uses_gradients else None
            self.weighting.step(ops.stop_gradient(self._stacked(values)), norms)
        total = self.objective(values)
        for (name, output), weight in zip(auxiliary.items(), self._head_weights, strict=True):
            if name == PRESENCE:
                loss = presence_loss(split_targets(y)[0], output, self.ignore_classes)
            else:
                loss = self.objective(self.loss_values(y, output, x))
            total = total + weight * loss
        # Losses that layers add: regularisers and `add_loss`.
        for loss in self.network.losses:
            total = total + ops.sum(ops.cast(loss, "float32"))
        if views is not None and self._uses_views:
            total = total + self._unlabelled_term(views)
        return total

    def _unlabelled_term(self, views: Mapping[str, Any]) -> Any:
        """Return the term of the images without labels, times its present factor."""
        assert self.semi is not None
        results = self.semi.term(NetworkStudent(self.network), ViewTensors(**views))
        for tracker, value in zip(self._semi_trackers, results, strict=True):
            tracker.update_state(value)
        return ops.convert_to_tensor(self.semi.factor) * results[0]

    def _gradient_norms(self, images: Any, labels: Any, logits: Any) -> Any:
        """Return a tensor (n,): for each loss of the weighting, the norm of its gradient with respect to the logits."""
        logits = ops.stop_gradient(ops.cast(logits, "float32"))
        norms = []
        for name in self.weighting.loss_names:

            def value(at: Any, name: str = name) -> Any:
                return self._loss_value(name, labels, at, images)

            gradient = value_and_gradient(value, logits)[1]
            norms.append(ops.sqrt(ops.sum(ops.square(gradient))))
        return ops.stack(norms)
