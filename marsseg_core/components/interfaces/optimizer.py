"""Define the interface of optimizers."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

from ...registry import kinds
from ..specs import OptimizerSpec
from .component import Component

if TYPE_CHECKING:
    import keras


class Optimizer(Component):
    """Update the weights of the network from their gradients."""

    kind = kinds.OPTIMIZER

    @abstractmethod
    def build(self, spec: OptimizerSpec) -> keras.optimizers.Optimizer:
        """Build a Keras optimizer.

        Args:
            spec: The arguments that the plan sets for every optimizer, to pass on to Keras.

        Returns:
            A new optimizer each time.

        Raises:
            ValueError: The parameters do not fit the arguments of `spec`.
        """
