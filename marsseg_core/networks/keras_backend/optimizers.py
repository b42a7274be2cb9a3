"""Let TensorFlow update the variables of a training step faster, and keep no networks in memory."""

from __future__ import annotations

from typing import Any

import keras


def train_on_one_device(optimizer: keras.optimizers.Optimizer) -> None:
    """Skip the sum of gradients over replicas if there is only one replica.

    TensorFlow registers the gradient of that sum in a global table which is never emptied, and which refers to the
    graph of the training step with all its variables. A process that trains several networks could never free their
    memory.
    """
    if keras.backend.backend() == "tensorflow":
        import tensorflow

        if not tensorflow.distribute.has_strategy():
            optimizer._all_reduce_sum_gradients = list


def update_in_one_pass(optimizer: keras.optimizers.Optimizer) -> None:
    """Let Adam and AdamW update each variable by TensorFlow's own operation, which has the same formula.

    Keras' operations read and write the variable and its two averages about ten times, which takes a tenth of a
    training step of a network with many parameters. Trained variables are float32 also in mixed precision; others, of a
    layer that asks for them, are updated by Keras.
    """
    if (
        keras.backend.backend() != "tensorflow"
        or type(optimizer) not in (keras.optimizers.Adam, keras.optimizers.AdamW)
        or optimizer.amsgrad
    ):
        return
    import tensorflow

    if not tensorflow.distribute.has_strategy():
        cls = type(optimizer)
        optimizer.__class__ = type(cls.__name__, (_OnePassUpdates, cls), {})


class _OnePassUpdates(keras.optimizers.Optimizer):
    """What `update_in_one_pass` changes in an optimizer. It comes before the class of the optimizer."""

    def apply(self, *arguments: Any, **options: Any) -> None:
        """Update the variables."""
        self._shared: dict[int, dict[str, Any]] = {}  # by the id of a learning rate: what its variables share
        try:
            super().apply(*arguments, **options)
        finally:
            self._shared.clear()  # the tensors belong to this step

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Update a variable."""
        import tensorflow

        if variable.dtype != "float32":
            super().update_step(gradient, variable, learning_rate)
            return
        if id(learning_rate) not in self._shared:  # the first variable of the step with this learning rate
            names = ("beta1", "beta2", "epsilon", "lr")
            values = (self.beta_1, self.beta_2, self.epsilon, learning_rate)
            shared = {name: tensorflow.cast(value, "float32") for name, value in zip(names, values, strict=True)}
            step = tensorflow.cast(self.iterations + 1, "float32")
            shared |= {f"{name}_power": tensorflow.pow(shared[name], step) for name in names[:2]}
            self._shared[id(learning_rate)] = shared
        position = self._get_variable_index(variable)
        tensorflow.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=self._momentums[position].handle,
            v=self._velocities[position].handle,
            grad=tensorflow.cast(tensorflow.convert_to_tensor(gradient), "float32"),
            **self._shared[id(learning_rate)],
        )
