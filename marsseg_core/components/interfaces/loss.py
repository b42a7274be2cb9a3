"""Define the interface of losses."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

from ...conventions import LossFunction, TargetFunction
from ...registry import kinds
from ..specs import LossSpec
from .component import Component


class Loss(Component):
    """Measure how wrong the logits are, as a number to minimise."""

    kind = kinds.LOSS

    wants_images: ClassVar[bool] = False
    """Whether the loss function also takes the images, as the keyword argument `images`, (B, H, W, C) in [0, 1].

    They are those that the network gets, after augmentation.
    """

    @property
    def may_be_negative(self) -> bool:
        """Return whether the loss can be below 0.

        If it can, marsseg refuses it together with a weighting that takes ratios or logarithms of losses.
        """
        return False

    @abstractmethod
    def build(self, spec: LossSpec) -> LossFunction:
        """Build the loss function.

        The value of the function must be finite for any labels. Its gradient must be exactly 0 at pixels that are void
        (255) or of an ignored class. If `targets` returns a function, the loss function is called with (labels, logits,
        targets). If `wants_images` is True, it is also called with `images=`.

        Args:
            spec: The number of classes, the ignored classes and the class frequencies of the data.

        Returns:
            A function of labels (B, H, W) integers and logits (B, H, W, K) float32 that returns a scalar.
        """

    def targets(self, spec: LossSpec) -> TargetFunction | None:
        """Return a function that computes additional targets from the masks, such as distances to boundaries.

        The input pipeline calls it with each batch of masks, after augmentation.

        Args:
            spec: The number of classes, the ignored classes and the class frequencies of the data.

        Returns:
            A function from NumPy masks (B, H, W) uint8 to an array (B, …); None if the loss needs only labels and
                logits.
        """
        return None
