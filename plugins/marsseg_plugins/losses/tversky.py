"""Tversky."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from marsseg_core.plugin_api import LossFunction, LossSpec, param

from .weighted import WeightedLoss, check_rates


@dataclass(frozen=True)
class Tversky(WeightedLoss):
    """Tversky: Dice in which false positives and false negatives count differently.

    For each class d = 1 − (TP + ε) / (TP + α·FP + β·FN + ε), with TP = Σ p·g, FP = Σ p·(1 − g) and FN = Σ (1 − p)·g
    over the labelled pixels of the batch (p the softmax, g the one-hot truth); ε is `smooth`. The loss is
    Σ w·d / Σ w over the classes that the batch has and that are not ignored; 0 if there are none. α = β = ½ is Dice,
    α = β = 1 the soft Jaccard distance.

    Salehi and others, arXiv 1706.05721, whose best α and β are the defaults.
    """

    false_positives: float = param(0.3, help="α, the cost of predicting the class where it is not", minimum=0)
    false_negatives: float = param(0.7, help="β, the cost of missing the class", minimum=0)
    smooth: float = param(0.0, help="ε, in pixels: smooths the loss of classes with few pixels", minimum=0)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_rates(self.false_positives, self.false_negatives)

    def build(self, spec: LossSpec) -> LossFunction:
        from .overlap import mean_of_present, overlap, tversky_distance

        weights = self.class_weights(spec)

        def tversky(labels: Any, logits: Any) -> Any:
            found = overlap(labels, logits, spec.ignore_classes)
            distance = tversky_distance(found, self.false_positives, self.false_negatives, self.smooth)
            return mean_of_present(distance, found.pixels, weights)

        return tversky
