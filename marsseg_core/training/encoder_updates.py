"""Update the encoder of a network by its own learning rate, and not before it is trained."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np
from keras import ops


def update_encoder_apart(
    optimizer: keras.optimizers.Optimizer, variables: Sequence[Any], factor: float, first_step: int
) -> None:
    """Make an optimizer update `variables` with its learning rate times `factor`.

    Before `first_step`, they are not trained: then their `trainable` is False. The optimizer must have been built, with
    these variables among others.
    """
    # A component has built the optimizer, of any class.
    cls = type(optimizer)
    optimizer.__class__ = type(cls.__name__, (_EncoderUpdates, cls), {})
    optimizer.encoder_indices = frozenset(map(optimizer._get_variable_index, variables))
    optimizer.encoder_factor, optimizer.encoder_first_step = factor, first_step
    if optimizer.use_ema and first_step:
        # As long as a variable does not change, it is its own average.
        for variable in variables:
            average = optimizer._model_variables_moving_average[optimizer._get_variable_index(variable)]
            # A copy: JAX would donate a shared buffer twice.
            average.assign(np.array(ops.convert_to_numpy(variable)))


class _EncoderUpdates(keras.optimizers.Optimizer):
    """What `update_encoder_apart` changes in an optimizer. It comes before the class of the optimizer."""

    encoder_indices: frozenset[int]
    encoder_factor: float
    encoder_first_step: int
    encoder_rate: Any = None
    updates_encoder = False  # whether a method of the optimizer's own class is at work on the encoder's variables

    @contextmanager
    def _updating_encoder(self) -> Iterator[None]:
        self.updates_encoder = True
        try:
            yield
        finally:
            self.updates_encoder = False

    def _is_of_encoder(self, variable: Any) -> bool:
        return self._get_variable_index(variable) in self.encoder_indices

    @property
    def iterations(self) -> Any:
        """Return the number of steps so far; for the encoder, those in which it was trained.

        Adam divides by it what its averages lack because they begin at 0. Otherwise the first steps of an encoder that
        was frozen would be several times too large. Nadam also has one product of its momenta for all variables, so the
        first steps of an encoder that was frozen are about half as large as those of the others.
        """
        count = super().iterations
        if not (self.updates_encoder and self.encoder_first_step):
            return count
        first = self.encoder_first_step // (self.gradient_accumulation_steps or 1)
        return ops.maximum(count - first, 0)  # steps with gradients that are not finite do not count

    def _get_current_learning_rate(self) -> Any:
        rate = super()._get_current_learning_rate()
        return rate * self.encoder_factor if self.updates_encoder else rate

    def _apply_weight_decay(self, variables: Sequence[Any]) -> None:
        super()._apply_weight_decay([v for v in variables if not self._is_of_encoder(v)])
        with self._updating_encoder():
            super()._apply_weight_decay([v for v in variables if self._is_of_encoder(v)])

    def _backend_update_step(self, gradients: Any, variables: Any, learning_rate: Any) -> None:
        self.encoder_rate = learning_rate * self.encoder_factor  # once for all variables
        try:
            super()._backend_update_step(gradients, variables, learning_rate)
        finally:
            self.encoder_rate = None  # the tensor belongs to this step

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Update a variable, with the learning rate of its part of the network."""
        if not self._is_of_encoder(variable):
            super().update_step(gradient, variable, learning_rate)
            return
        with self._updating_encoder():
            super().update_step(gradient, variable, self.encoder_rate)

    def stateless_apply(self, optimizer_variables: Any, grads: Any, trainable_variables: Any) -> Any:
        """Update the variables that are trained at present, for JAX. Keras expects all that it was built with."""
        trained = [variable for variable in self._trainable_variables if variable.trainable]
        values = [*zip(trained, trainable_variables, strict=True)]
        values += zip(self.variables, optimizer_variables, strict=True)
        with keras.StatelessScope(state_mapping=values) as scope:
            self.apply(grads, trained)
        return tuple([scope.get_current_value(v) for v in group] for group in (trained, self.variables))

    def _update_model_variables_moving_average(self, trainable_variables: Any) -> None:
        """Update the averages of the variables that are trained at present, by Keras' formula."""
        momentum = ops.cast(ops.not_equal(self.iterations, 0), "float32") * self.ema_momentum
        for variable, average in zip(trainable_variables, self._model_variables_moving_average, strict=True):
            if variable.trainable and average is not None:
                factor = ops.cast(momentum, variable.dtype)
                average.assign(factor * average + (1 - factor) * variable)

    def finalize_variable_values(self, var_list: Any) -> None:
        """Give all variables their averages, also where a training ends while some are frozen."""
        super().finalize_variable_values(self._trainable_variables)
