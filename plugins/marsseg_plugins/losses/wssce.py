"""The weighted sparse softmax cross-entropy loss."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from marsseg_core.plugin_api import LossFunction, LossSpec, param

from .weighted import SMOOTHING_HELP, Rule, WeightedLoss


@dataclass(frozen=True)
class WSSCE(WeightedLoss):
    """Weighted sparse softmax cross-entropy: gives more weight to rare classes.

    With w the class weights and the sums over the labelled pixels of the batch, the loss is

    - `normalise=weights`: Σ w·(−log p) / Σ w, the weighted mean;
    - `normalise=pixels`: Σ w·(−log p) / N, with N the number of all pixels of the batch, including ignored and void
      pixels, as in the report.

    The weights are computed from the n_c pixels of each class in the training subset: `balanced` is n / (K·n_c),
    `inverse` is 1 / n_c, and `effective` uses effective numbers (arXiv 1901.05555). Or they are set as a list, one for
    each class, including the ignored ones. `cap` limits `balanced` weights directly; for the other two rules it limits
    the ratio to the weight of the most frequent class.

    With `smoothing` s, −log p is replaced by (1 − s)·(−log p) + s / M · Σ_c (−log p_c), where the sum is over the M
    classes that are not ignored. The weight stays that of the label. (Szegedy and others, arXiv 1512.00567.)

    The report has `weights=balanced cap=10 count=all normalise=pixels`. On the course data these weights are
    [0, 0.5935, 0.8366, 1.1097, 10].
    """

    weights: Rule | tuple[float, ...] = param(
        "balanced", help="the rule for class weights, or one weight for each class", minimum=0, min_length=2
    )
    normalise: Literal["weights", "pixels"] = param(
        "weights", help="divide the sum by the sum of the weights, or by the number of pixels"
    )
    smoothing: float = param(0.0, help=SMOOTHING_HELP, minimum=0, maximum=0.9)

    def build(self, spec: LossSpec) -> LossFunction:
        from keras import ops

        from .cross_entropy import pixel_weights, smoothed_cross_entropy, valid_pixels, weighted_mean

        weights = self.class_weights(spec)

        def wssce(labels: Any, logits: Any) -> Any:
            valid = valid_pixels(labels, spec.ignore_classes)
            entropy = smoothed_cross_entropy(labels, logits, valid, spec, self.smoothing)
            if self.normalise == "weights":
                return weighted_mean(entropy, labels, valid, weights)
            weight = pixel_weights(labels, valid, weights)
            return ops.sum(weight * entropy) / ops.cast(ops.size(weight), "float32")

        return wssce
