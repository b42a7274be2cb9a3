"""Generalised Dice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from marsseg_core.plugin_api import Loss, LossFunction, LossSpec, param


@dataclass(frozen=True)
class GDice(Loss):
    """Generalised Dice: one Dice over all classes, each weighted by how few pixels it has.

    1 − 2·Σ_c w_c Σ p·g / Σ_c w_c Σ (p + g), with p the softmax, g the one-hot truth, the inner sums over the labelled
    pixels of the batch and w_c = 1 / (Σ g)^power. A class that the batch lacks takes the largest weight of those it
    has, so predicting it costs. Ignored classes weigh 0; the loss is in [0, 1], and 0 if no pixel is labelled.

    Sudre and others, arXiv 1707.03237.
    """

    power: float = param(2.0, help="2 as in the paper; 1 is milder, at 0 all classes weigh alike", minimum=0)

    def build(self, spec: LossSpec) -> LossFunction:
        import numpy as np
        from keras import ops

        from .overlap import overlap

        labelled = np.array([c not in spec.ignore_classes for c in range(spec.num_classes)])

        def gdice(labels: Any, logits: Any) -> Any:
            found = overlap(labels, logits, spec.ignore_classes)
            present = found.pixels > 0
            fewest = ops.min(ops.where(present, found.pixels, np.inf))
            # The weights' common factor cancels: they are taken relative to the largest, 1.
            weight = ops.power(fewest / ops.where(present, found.pixels, 1.0), self.power)
            weight = ops.where(labelled, ops.where(present, weight, 1.0), 0.0)
            missed = ops.sum(weight * (found.false_positives + found.false_negatives))
            whole = 2 * ops.sum(weight * found.hits) + missed
            return missed / ops.where(whole > 0, whole, 1.0)

        return gdice
