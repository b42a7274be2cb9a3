"""The soft Dice loss."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from marsseg_core.plugin_api import LossFunction, LossSpec, param

from .weighted import WeightedLoss


@dataclass(frozen=True)
class Dice(WeightedLoss):
    """Soft Dice: 1 − twice the overlap of prediction and truth, divided by the sum of both.

    For each class, d = 1 − (2·Σ p·g + ε) / (Σ p + Σ g + ε), with p the softmax, g the one-hot truth and ε `smooth`. The
    sums are over the labelled pixels of the batch. The loss is Σ w·d / Σ w, with w the class weights, over the classes
    that are in the batch and not ignored. It is in [0, 1], and 0 if there is no such class.

    Paper: Milletari and others, arXiv 1606.04797; here the denominator has p instead of p².
    """

    smooth: float = param(0.0, help="ε, in pixels: smooths the loss of classes with few pixels", minimum=0)

    def build(self, spec: LossSpec) -> LossFunction:
        from .overlap import mean_of_present, overlap, tversky_distance

        weights = self.class_weights(spec)

        def dice(labels: Any, logits: Any) -> Any:
            sums = overlap(labels, logits, spec.ignore_classes)
            distance = tversky_distance(sums, 0.5, 0.5, self.smooth / 2)
            return mean_of_present(distance, sums.pixels, weights)

        return dice
