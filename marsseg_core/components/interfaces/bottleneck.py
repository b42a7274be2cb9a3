"""Define the interface of bottlenecks."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

from ...registry import kinds
from ..specs import BottleneckSpec
from .component import Component


class Bottleneck(Component):
    """Transform the coarsest feature map of a network."""

    kind = kinds.BOTTLENECK

    @abstractmethod
    def build(self, features: Any, spec: BottleneckSpec) -> Any:
        """Apply the layers of the bottleneck to a feature map.

        Args:
            features: A Keras tensor, (B, h, w, c).
            spec: The number of classes, and the prefix that the names of the layers must begin with.

        Returns:
            A Keras tensor (B, h, w, c') of the same height and width, with any number of channels.
        """
