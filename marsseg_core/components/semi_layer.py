"""The layer that computes a term of the objective from images without labels. Every semi-supervised method builds one.

The network that is trained is called the student here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import keras
import numpy as np
from keras import ops

from .semi_specs import SemiSpec


class Student(Protocol):
    """Compute logits of images without labels with the network that is trained."""

    weights: Sequence[Any]
    """The variables of the network, without the states of its random generators."""

    def logits(self, images: Any, weights: Sequence[Any] | None = None) -> Any:
        """Return the logits (B, H, W, K) float32 of the network in its training mode.

        Batch normalisation uses the statistics of these images. They do not enter its moving averages, which stay those
        of labelled images, as the network is scored on images that nobody has changed.

        Args:
            images: (B, H, W, C) in [0, 1].
            weights: Values to use in place of the network's own, in the order of `weights`; None for its own.
        """


@dataclass(frozen=True)
class ViewTensors:
    """Hold the views of a batch of images without labels, as tensors.

    Attributes:
        strong: (B, H, W, C) float32 in [0, 1], the strong views, with the boxes of other images.
        counted: (B, H, W) uint8, 1 for each pixel of `strong` that counts; 0 where nothing of an image is.
        mixed: (B, H, W) uint8, 1 for each pixel of `strong` that comes from the next image of the batch.
        weak: (B, H, W, C) float32 in [0, 1], the weak views; None if the method does not use them.
        labels: The labels that the method has made, at the places of `strong`: (B, H, W) or (B, H, W, K) uint8; None
            if it has made none.
    """

    strong: Any
    counted: Any
    mixed: Any
    weak: Any = None
    labels: Any = None

    def mix(self, values: Any) -> Any:
        """Return values of the weak views, (B, H, W) or (B, H, W, …), at their places in the strong views."""
        extra = len(values.shape) - len(self.mixed.shape)
        places = ops.reshape(self.mixed, (*ops.shape(self.mixed), *(1,) * extra))
        return ops.where(ops.cast(places, "bool"), ops.roll(values, -1, axis=0), values)


class SemiLayer(keras.layers.Layer):
    """Compute a term of the objective from a batch of images without labels.

    A subclass implements `term`. Everything that it remembers must be in weights of the layer, which it creates in
    `prepare`: they are in the checkpoint. All values are float32, even if the network trains in mixed precision.

    Args:
        spec: The classes and the length of the training.
    """

    def __init__(self, spec: SemiSpec) -> None:
        super().__init__(dtype="float32")
        self.spec = spec
        self.factor = self.add_weight(name="factor", shape=(), initializer="zeros", trainable=False)
        self.built = True

    def prepare(self, student: Student) -> None:
        """Create the weights of the layer, if it has any, when the network is known.

        Args:
            student: The network that is trained.
        """

    def term(self, student: Student, views: ViewTensors) -> tuple[Any, Any]:
        """Compute the term of a training step.

        Args:
            student: The network that is trained.
            views: The views of a batch.

        Returns:
            The term, a scalar, and the share of the pixels that it is computed from, a scalar from 0 to 1. The history
            has the means of both in each epoch.
        """
        raise NotImplementedError(f"{type(self).__name__} has no method `term`")

    def probabilities(self, logits: Any) -> Any:
        """Return the probabilities (…, K') of the classes that are not ignored, for logits (…, K)."""
        return ops.softmax(self._of_counted(logits))

    def log_probabilities(self, logits: Any) -> Any:
        """Return the logarithms of `probabilities`."""
        return ops.log_softmax(self._of_counted(logits))

    def _of_counted(self, logits: Any) -> Any:
        if len(self.spec.counted) == self.spec.num_classes:
            return logits
        return ops.take(logits, np.array(self.spec.counted), axis=-1)

    @staticmethod
    def mean(values: Any, counts: Any) -> tuple[Any, Any]:
        """Return the mean over all pixels of values (B, H, W) times weights `counts` (B, H, W), and that of `counts`.

        Pixels that do not count are part of the mean, so that few pixels make a small term.
        """
        counts = ops.cast(counts, "float32")
        return ops.mean(values * counts), ops.mean(counts)
