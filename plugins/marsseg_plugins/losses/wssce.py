"""Weighted sparse softmax cross-entropy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from marsseg_core.plugin_api import Loss, LossFunction, LossSpec, param

from .weighted import CAP_HELP, Rule, check_class_weights


@dataclass(frozen=True)
class WSSCE(Loss):
    """Weighted sparse softmax cross-entropy: rare classes count more.

    With w the class weights and the sums over the labelled pixels of the batch, the loss is

    - `normalise=weights`: Σ w·(−log p) / Σ w, the weighted mean;
    - `normalise=pixels`: Σ w·(−log p) / N, with N all pixels of the batch, ignored and void ones too (the report's).

    The weights come from the training subset: `balanced` n / (K·n_c), `inverse` 1 / n_c and `effective` numbers
    (arXiv 1901.05555), or are given, one for each class, the ignored ones included. `cap` bounds `balanced` weights as
    they are; those of the other two rules by their ratio to the most frequent class's.

    The report: `weights=balanced cap=10 count=all normalise=pixels`; on the course data these weights are
    [0, 0.5935, 0.8366, 1.1097, 10].
    """

    weights: Rule | tuple[float, ...] = param(
        "balanced", help="the rule for class weights, or the weights themselves", minimum=0, min_length=2
    )
    cap: float | None = param(10.0, help=CAP_HELP, above=0)
    count: Literal["labelled", "all"] = param("labelled", help="classes that `balanced` counts in n and K")
    beta: float = param(0.999999, help="β of `effective`: 1 / (1 − β) is the number of pixels that saturates", above=0)
    normalise: Literal["weights", "pixels"] = param("weights", help="what the sum is divided by")

    def __post_init__(self) -> None:
        check_class_weights(self.weights, self.cap, self.beta)

    def build(self, spec: LossSpec) -> LossFunction:
        from keras import ops

        from .class_weights import class_weights
        from .cross_entropy import pixel_cross_entropy, valid_pixels

        weights = class_weights(spec, self.weights, cap=self.cap, count=self.count, beta=self.beta)

        def wssce(labels: Any, logits: Any) -> Any:
            valid = valid_pixels(labels, spec.ignore_classes)
            known = ops.where(valid, ops.cast(labels, "int32"), 0)
            weight = ops.where(valid, ops.take(ops.convert_to_tensor(weights), known), 0.0)
            total = ops.sum(weight * pixel_cross_entropy(labels, logits, valid))
            if self.normalise == "pixels":
                return total / ops.cast(ops.size(weight), "float32")
            # Where all weights are 0, so is the sum.
            scale = ops.sum(weight)
            return total / ops.where(scale > 0, scale, 1.0)

        return wssce
