"""What the losses that take class weights, or none, share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from marsseg_core.plugin_api import Loss, LossSpec, param

if TYPE_CHECKING:
    import numpy as np


Rule = Literal["balanced", "inverse", "effective"]

CAP_HELP = (
    "largest weight that `balanced` may give; of `inverse` and `effective`, how many times that of the most frequent "
    "class; none: no cap"
)


def check_class_weights(weights: Rule | tuple[float, ...] | None, cap: float | None, beta: float) -> None:
    """ValueError where parameters of class weights mean nothing, whatever the data."""
    if beta >= 1:
        raise ValueError("beta must be below 1")
    if isinstance(weights, tuple) and not any(weights):
        raise ValueError("the class weights are all 0: there is nothing to learn")
    if weights in ("inverse", "effective") and cap is not None and cap < 1:
        raise ValueError(f"cap={cap:g} is below 1; of `{weights}` it counts in weights of the most frequent class")


def check_rates(false_positives: float, false_negatives: float) -> None:
    """ValueError where Tversky's α and β are both 0: then every prediction is as good as any other."""
    if not (false_positives or false_negatives):
        raise ValueError("false_positives and false_negatives are both 0: the loss is 0 whatever is predicted")


@dataclass(frozen=True)
class WeightedLoss(Loss):
    """A loss whose classes count alike unless weights are asked for."""

    weights: Rule | tuple[float, ...] | None = param(
        None, help="the rule for class weights, or the weights themselves; none: all alike", minimum=0, min_length=2
    )
    cap: float | None = param(10.0, help=CAP_HELP, above=0)
    count: Literal["labelled", "all"] = param("labelled", help="classes that `balanced` counts in n and K")
    beta: float = param(0.999999, help="β of `effective`: 1 / (1 − β) is the number of pixels that saturates", above=0)

    def __post_init__(self) -> None:
        check_class_weights(self.weights, self.cap, self.beta)

    def class_weights(self, spec: LossSpec) -> np.ndarray:
        """(K,) float32, 0 for ignored classes."""
        from .class_weights import class_weights

        rule = (1.0,) * spec.num_classes if self.weights is None else self.weights
        return class_weights(spec, rule, cap=self.cap, count=self.count, beta=self.beta)
