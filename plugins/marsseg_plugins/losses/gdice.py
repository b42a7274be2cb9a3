"""The generalised Dice loss."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from marsseg_core.plugin_api import Loss, LossFunction, LossSpec, param


@dataclass(frozen=True)
class GDice(Loss):
    """Generalised Dice: one Dice loss over all classes, with larger weights for rarer classes.

    The loss is 1 − 2·Σ_c w_c Σ p·g / Σ_c w_c Σ (p + g), with p the softmax, g the one-hot truth, the inner sums over
    the labelled pixels of the batch, and w_c = 1 / (Σ g)^power. A class that is not in the batch gets the largest
    weight of the classes that are, so predicting it has a cost. Ignored classes have the weight 0. The loss is in
    [0, 1], and 0 if no pixel is labelled.

    Paper: Sudre and others, arXiv 1707.03237.
    """

    power: float = param(
        2.0, help="exponent of the class sizes: 2 as in the paper, 1 is milder, 0 gives equal weights", minimum=0
    )

    def build(self, spec: LossSpec) -> LossFunction:
        import numpy as np
        from keras import ops

        from .overlap import overlap

        labelled = np.array([c not in spec.ignore_classes for c in range(spec.num_classes)])

        def gdice(labels: Any, logits: Any) -> Any:
            sums = overlap(labels, logits, spec.ignore_classes)
            present = sums.pixels > 0
            fewest = ops.min(ops.where(present, sums.pixels, np.inf))
            # A common factor of the weights cancels, so they are scaled to a largest weight of 1.
            weight = ops.power(fewest / ops.where(present, sums.pixels, 1.0), self.power)
            weight = ops.where(labelled, ops.where(present, weight, 1.0), 0.0)
            wrong = ops.sum(weight * (sums.false_positives + sums.false_negatives))
            total = 2 * ops.sum(weight * sums.hits) + wrong
            return wrong / ops.where(total > 0, total, 1.0)

        return gdice
