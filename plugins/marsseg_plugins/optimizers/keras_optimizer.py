"""What the built-in optimizers share: each is one of Keras'."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, ClassVar

from marsseg_core.plugin_api import Optimizer, OptimizerSpec

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class KerasOptimizer(Optimizer):
    """Build the class of `keras.optimizers` that `keras_name` names, with the fields as its arguments."""

    keras_name: ClassVar[str]

    def build(self, spec: OptimizerSpec) -> keras.optimizers.Optimizer:
        import keras

        # What is as it is by default is left to Keras: an older one has not all of the arguments.
        own = {field.name: getattr(self, field.name) for field in fields(self)}
        given = {field.name: own[field.name] for field in fields(self) if own[field.name] != field.default}
        optimizer: keras.optimizers.Optimizer = getattr(keras.optimizers, self.keras_name)(**given, **spec.arguments)
        return optimizer
