"""The focal Tversky loss."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from marsseg_core.plugin_api import LossFunction, LossSpec, param

from .weighted import WeightedLoss, check_rates


@dataclass(frozen=True)
class FocalTversky(WeightedLoss):
    """Focal Tversky: a power of the Tversky loss, which changes the gradients of classes that are nearly right.

    For each class the value is d^(1/γ), with d = 1 − (TP + ε) / (TP + α·FP + β·FN + ε) as in `tversky`. The loss is the
    weighted mean over the classes that are in the batch and not ignored; 0 if there is none. Below d = 1e-7, the power
    is replaced by a straight line to 0, because its slope would become infinite.

    γ above 1 raises the gradient of classes that are nearly right; γ below 1 raises that of classes that are wrong.

    Paper: Abraham and Khan, arXiv 1810.07842; the defaults are its values.
    """

    false_positives: float = param(0.3, help="α: the cost of false positives", minimum=0)
    false_negatives: float = param(0.7, help="β: the cost of false negatives", minimum=0)
    gamma: float = param(4 / 3, help="γ, the inverse of the exponent", minimum=0.1, maximum=10)
    smooth: float = param(0.0, help="ε, in pixels: smooths the loss of classes with few pixels", minimum=0)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_rates(self.false_positives, self.false_negatives)

    def build(self, spec: LossSpec) -> LossFunction:
        from .overlap import mean_of_present, overlap, smooth_power, tversky_distance

        weights = self.class_weights(spec)

        def focal_tversky(labels: Any, logits: Any) -> Any:
            sums = overlap(labels, logits, spec.ignore_classes)
            distance = tversky_distance(sums, self.false_positives, self.false_negatives, self.smooth)
            return mean_of_present(smooth_power(distance, 1 / self.gamma), sums.pixels, weights)

        return focal_tversky
