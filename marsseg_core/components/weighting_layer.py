"""The layer that combines several losses into the objective. Every weighting builds one."""

from __future__ import annotations

from typing import Any, ClassVar

import keras
import numpy as np
from keras import ops

from .specs import WeightingSpec


class WeightingLayer(keras.layers.Layer):
    """Combine n losses L (n,) into the objective Σ λᵢ·wᵢ·Lᵢ.

    w (n,) are the weights of the losses in the plan (`base_weights`). λ (n,) are the weights of the rule
    (`rule_weights`); in this base class they are 1. No gradient flows through λ. All values are float32, even if the
    network trains in mixed precision.

    A subclass implements a rule: it sets `rule_weights` in `step`, `on_epoch_begin` or `on_epoch_end`. It computes them
    from the losses L without w, because the layer multiplies by w afterwards. Everything that a rule remembers must be
    in weights of the layer (`add_state`), because these are saved in the checkpoint.

    Args:
        spec: The names of the losses and their weights in the plan.
    """

    uses_gradients: ClassVar[bool] = False
    """Whether `step` needs the norms of the gradients. If not, marsseg does not compute them and passes None."""

    def __init__(self, spec: WeightingSpec) -> None:
        super().__init__(dtype="float32")
        self.loss_names = spec.losses
        self.count = len(spec.losses)
        self.base_weights = np.asarray(spec.weights, np.float32)

    def build(self, input_shape: Any = None) -> None:
        """Create the variables of the layer. Extend it to add those of a rule: call `super().build()` first."""
        self.rule_weights = self.add_state("rule_weights", 1.0)
        self.built = True

    def add_state(self, name: str, value: float = 0.0) -> Any:
        """Add a variable (n,) that is not trained, for a number that a rule remembers of each loss.

        Args:
            name: The name of the variable.
            value: The initial value of each of the n numbers.

        Returns:
            The variable, a weight of the layer.
        """
        return self.add_weight(
            name=name, shape=(self.count,), initializer=keras.initializers.Constant(value), trainable=False
        )

    def call(self, losses: Any) -> Any:
        """Return the objective, a scalar, for the losses (n,)."""
        return ops.sum(ops.stop_gradient(self.rule_weights) * self.base_weights * losses)

    def factors(self) -> np.ndarray:
        """Return the current weight λᵢ·wᵢ of each loss in the objective, (n,)."""
        return np.asarray(ops.convert_to_numpy(self.rule_weights) * self.base_weights)

    def step(self, losses: Any, norms: Any) -> None:
        """Update λ in each training step, before the objective is computed.

        Args:
            losses: The losses of the step, a tensor (n,).
            norms: The norm of the gradient of each loss with respect to the logits, a tensor (n,); None unless
                `uses_gradients` is True.
        """

    def on_epoch_begin(self, epoch: int, epochs: int) -> None:
        """Update λ before an epoch.

        Args:
            epoch: The number of the epoch, from 0.
            epochs: The number of epochs of the training.
        """

    def on_epoch_end(self, losses: np.ndarray) -> None:
        """Update λ after an epoch.

        Args:
            losses: The mean of each loss over the steps of the epoch, (n,).
        """
