"""Soft Dice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from marsseg_core.plugin_api import LossFunction, LossSpec, param

from .weighted import WeightedLoss


@dataclass(frozen=True)
class Dice(WeightedLoss):
    """Soft Dice: 1 − twice the overlap of prediction and truth over the sum of both.

    For each class d = 1 − (2·Σ p·g + ε) / (Σ p + Σ g + ε), with p the softmax, g the one-hot truth and the sums over
    the labelled pixels of the batch; ε is `smooth`. The loss is Σ w·d / Σ w over the classes that the batch has and
    that are not ignored, so it stays in [0, 1]; 0 if there are none.

    Milletari and others, arXiv 1606.04797, with p instead of p² in the denominator.
    """

    smooth: float = param(0.0, help="ε, in pixels: smooths the loss of classes with few pixels", minimum=0)

    def build(self, spec: LossSpec) -> LossFunction:
        from .overlap import mean_of_present, overlap, tversky_distance

        weights = self.class_weights(spec)

        def dice(labels: Any, logits: Any) -> Any:
            found = overlap(labels, logits, spec.ignore_classes)
            distance = tversky_distance(found, 0.5, 0.5, self.smooth / 2)
            return mean_of_present(distance, found.pixels, weights)

        return dice
