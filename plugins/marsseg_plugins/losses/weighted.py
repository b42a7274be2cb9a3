"""What the losses that take class weights, or none, share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from marsseg_core.components import Loss, LossSpec
from marsseg_core.parameters import param

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class WeightedLoss(Loss):
    """A loss whose classes count alike unless weights are asked for."""

    weights: Literal["balanced", "inverse", "effective"] | tuple[float, ...] | None = param(
        None, help="the rule for class weights, or the weights themselves; none: all alike", minimum=0, min_length=2
    )
    cap: float | None = param(10.0, help="largest weight that a rule may give", above=0)
    count: Literal["labelled", "all"] = param("labelled", help="classes that `balanced` counts in n and K")
    beta: float = param(0.999999, help="β of `effective`: 1 / (1 − β) is the number of pixels that saturates", above=0)

    def __post_init__(self) -> None:
        if self.beta >= 1:
            raise ValueError("beta must be below 1")

    def class_weights(self, spec: LossSpec) -> np.ndarray:
        """(K,) float32, 0 for ignored classes."""
        from .class_weights import class_weights

        rule = (1.0,) * spec.num_classes if self.weights is None else self.weights
        return class_weights(spec, rule, cap=self.cap, count=self.count, beta=self.beta)
