"""Define the interface of weightings, which combine several losses."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar

from ...registry import kinds
from ..specs import WeightingSpec
from .component import Component

if TYPE_CHECKING:
    from ..weighting_layer import WeightingLayer


class Weighting(Component):
    """Combine several losses into the one objective that is minimised."""

    kind = kinds.WEIGHTING

    moves: ClassVar[bool] = True
    """Whether the weights of the losses change during a training."""

    @property
    def needs_nonnegative(self) -> bool:
        """Return whether no loss may be negative, because the rule takes ratios or logarithms of the losses."""
        return False

    def check(self, spec: WeightingSpec) -> None:
        """Check that the parameters fit the losses.

        marsseg calls this for each plan, before it imports Keras.

        Args:
            spec: The names and the weights of the losses.

        Raises:
            ValueError: The parameters do not fit, such as three values for two losses.
        """

    @abstractmethod
    def build(self, spec: WeightingSpec) -> WeightingLayer:
        """Build the layer that maps the vector of losses (n,) to the scalar objective.

        The layer is part of the model that is trained. So its weights, whether they are trained or set by its rule,
        are in the checkpoint.

        Args:
            spec: The names and the weights of the losses.

        Returns:
            A new, unbuilt `WeightingLayer`.

        Raises:
            ValueError: The parameters do not fit these losses.
        """
