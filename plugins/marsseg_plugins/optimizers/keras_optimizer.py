"""What the built-in optimizers share: each is one of Keras'."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, ClassVar

from marsseg_core.plugin_api import Optimizer, OptimizerSpec

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class KerasOptimizer(Optimizer):
    """An optimizer of Keras, with its fields as the arguments."""

    keras_name: ClassVar[str]
    """The name of the class in `keras.optimizers`."""

    def keras_class(self) -> type[keras.optimizers.Optimizer]:
        """Return the class in `keras.optimizers`, or one that does the same."""
        import keras

        cls: type[keras.optimizers.Optimizer] = getattr(keras.optimizers, self.keras_name)
        return cls

    def build(self, spec: OptimizerSpec) -> keras.optimizers.Optimizer:
        # Defaults are not passed, because an older Keras does not have all of the arguments.
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        changed = {field.name: values[field.name] for field in fields(self) if values[field.name] != field.default}
        return self.keras_class()(**changed, **spec.arguments)
