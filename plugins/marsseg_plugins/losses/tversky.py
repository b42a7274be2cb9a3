"""The Tversky loss."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from marsseg_core.plugin_api import LossFunction, LossSpec, param

from .weighted import WeightedLoss, check_rates


@dataclass(frozen=True)
class Tversky(WeightedLoss):
    """Tversky: a Dice loss with separate weights for false positives and false negatives.

    For each class, d = 1 − (TP + ε) / (TP + α·FP + β·FN + ε), with TP = Σ p·g, FP = Σ p·(1 − g) and FN = Σ (1 − p)·g
    over the labelled pixels of the batch (p is the softmax, g the one-hot truth, ε `smooth`). The loss is Σ w·d / Σ w,
    with w the class weights, over the classes that are in the batch and not ignored; 0 if there is none. α = β = ½ is
    Dice, α = β = 1 is the soft Jaccard distance.

    Paper: Salehi and others, arXiv 1706.05721; the defaults are its best α and β.
    """

    false_positives: float = param(0.3, help="α: the cost of false positives", minimum=0)
    false_negatives: float = param(0.7, help="β: the cost of false negatives", minimum=0)
    smooth: float = param(0.0, help="ε, in pixels: smooths the loss of classes with few pixels", minimum=0)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_rates(self.false_positives, self.false_negatives)

    def build(self, spec: LossSpec) -> LossFunction:
        from .overlap import mean_of_present, overlap, tversky_distance

        weights = self.class_weights(spec)

        def tversky(labels: Any, logits: Any) -> Any:
            sums = overlap(labels, logits, spec.ignore_classes)
            distance = tversky_distance(sums, self.false_positives, self.false_negatives, self.smooth)
            return mean_of_present(distance, sums.pixels, weights)

        return tversky
