"""Focal Tversky."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from marsseg_core.plugin_api import LossFunction, LossSpec, param

from .weighted import WeightedLoss, check_rates


@dataclass(frozen=True)
class FocalTversky(WeightedLoss):
    """Focal Tversky: a power of Tversky, under which classes that are nearly right keep pulling.

    For each class d^(1/γ), with d = 1 − (TP + ε) / (TP + α·FP + β·FN + ε) as in `tversky`. The loss is the weighted
    mean of these over the classes that the batch has and that are not ignored; 0 if there are none. Below d = 1e-7
    the power goes straight to 0: its slope there would be infinite.

    Abraham and Khan, arXiv 1810.07842, whose values are the defaults. γ above 1 raises the gradient of classes that
    are nearly right, γ below 1 that of classes that are wrong.
    """

    false_positives: float = param(0.3, help="α, the cost of predicting the class where it is not", minimum=0)
    false_negatives: float = param(0.7, help="β, the cost of missing the class", minimum=0)
    gamma: float = param(4 / 3, help="γ, the inverse of the exponent", minimum=0.1, maximum=10)
    smooth: float = param(0.0, help="ε, in pixels: smooths the loss of classes with few pixels", minimum=0)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_rates(self.false_positives, self.false_negatives)

    def build(self, spec: LossSpec) -> LossFunction:
        from .overlap import mean_of_present, overlap, smooth_power, tversky_distance

        weights = self.class_weights(spec)

        def focal_tversky(labels: Any, logits: Any) -> Any:
            found = overlap(labels, logits, spec.ignore_classes)
            distance = tversky_distance(found, self.false_positives, self.false_negatives, self.smooth)
            return mean_of_present(smooth_power(distance, 1 / self.gamma), found.pixels, weights)

        return focal_tversky
