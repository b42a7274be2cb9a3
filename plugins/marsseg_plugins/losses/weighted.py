"""The base class of the losses with optional class weights, and the checks of their parameters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from marsseg_core.plugin_api import Loss, LossSpec, param

if TYPE_CHECKING:
    import numpy as np


Rule = Literal["balanced", "inverse", "effective"]

# The rules for class weights that use each of these parameters.
_RULES_WITH: Final = {"cap": ("balanced", "inverse", "effective"), "count": ("balanced",), "beta": ("effective",)}

CAP_HELP = (
    "largest weight for `balanced`; for `inverse` and `effective`, the largest multiple of the weight of the most "
    "frequent class; none: no limit"
)

SMOOTHING_HELP = "label smoothing: the share of a label that is spread over the classes that are not ignored"


def check_rates(false_positives: float, false_negatives: float) -> None:
    """Raise ValueError where α and β of a Tversky loss are both 0: then the loss is 0 for all predictions."""
    if not (false_positives or false_negatives):
        raise ValueError("false_positives and false_negatives are both 0: the loss would be 0 for all predictions")


@dataclass(frozen=True)
class WeightedLoss(Loss):
    """A loss with optional class weights; without them, all classes have the same weight."""

    weights: Rule | tuple[float, ...] | None = param(
        None,
        help="the rule for class weights, or one weight for each class; none: equal weights",
        minimum=0,
        min_length=2,
    )
    cap: float | None = param(10.0, help=CAP_HELP, above=0)
    count: Literal["labelled", "all"] = param(
        "labelled", help="classes that `balanced` includes in n and K: those not ignored, or all"
    )
    beta: float = param(
        0.999999, help="β of `effective`: weights hardly change above 1 / (1 − β) pixels", above=0, below=1
    )

    def __post_init__(self) -> None:
        if isinstance(self.weights, tuple) and not any(self.weights):
            raise ValueError("the class weights are all 0: there is nothing to learn")
        if self.weights in ("inverse", "effective") and self.cap is not None and self.cap < 1:
            raise ValueError(f"cap={self.cap:g} is below 1; with weights={self.weights}, it must be 1 or more")

    def without_effect(self) -> dict[str, str]:
        rule = self.weights if isinstance(self.weights, str) else ""
        return {name: "weights" for name, rules in _RULES_WITH.items() if rule not in rules}

    def class_weights(self, spec: LossSpec) -> np.ndarray:
        """Return the class weights, (K,) float32, 0 for ignored classes."""
        from .class_weights import class_weights

        rule = (1.0,) * spec.num_classes if self.weights is None else self.weights
        return class_weights(spec, rule, cap=self.cap, count=self.count, beta=self.beta)
