"""The layer that joins several losses to one: what every weighting builds."""

from __future__ import annotations

from typing import Any, ClassVar

import keras
import numpy as np
from keras import ops

from .specs import WeightingSpec


class WeightingLayer(keras.layers.Layer):
    """Join n losses (n,) to Σ λᵢ·wᵢ·Lᵢ: w are the weights that the plan gives, λ those of the rule, here 1.

    A rule sets `rule_weights`, its λ (n,), in `step`, `on_epoch_begin` or `on_epoch_end`, from the losses Lᵢ
    themselves: w applies to what the rule finds, so that no rule cancels it. What it remembers, it keeps in weights of
    the layer: these are in the checkpoint. λ is taken without gradient. All is float32, whatever the precision of the
    network.
    """

    # Whether `step` is given the norms of each loss's gradient with respect to the logits.
    uses_gradients: ClassVar[bool] = False

    def __init__(self, spec: WeightingSpec) -> None:
        super().__init__(dtype="float32")
        self.loss_names = spec.losses
        self.count = len(spec.losses)
        self.base_weights = np.asarray(spec.weights, np.float32)

    def build(self, input_shape: Any = None) -> None:
        self.rule_weights = self.add_state("rule_weights", 1.0)
        self.built = True

    def add_state(self, name: str, value: float = 0.0) -> Any:
        """Add a weight (n,) that is not trained, for what a rule remembers of each loss."""
        return self.add_weight(
            name=name, shape=(self.count,), initializer=keras.initializers.Constant(value), trainable=False
        )

    def call(self, losses: Any) -> Any:
        return ops.sum(ops.stop_gradient(self.rule_weights) * self.base_weights * losses)

    def factors(self) -> np.ndarray:
        """Give what each loss counts in the objective now, (n,)."""
        return np.asarray(ops.convert_to_numpy(self.rule_weights) * self.base_weights)

    def step(self, losses: Any, norms: Any) -> None:
        """Move λ before the objective of each training step; as tensors Lᵢ (n,) and their gradients' norms (n,)."""

    def on_epoch_begin(self, epoch: int, epochs: int) -> None:
        """Move λ before each epoch, counted from 0, of so many."""

    def on_epoch_end(self, losses: np.ndarray) -> None:
        """Move λ after each epoch, by the means of Lᵢ over its steps, (n,)."""
