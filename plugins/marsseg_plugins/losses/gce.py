"""The generalised cross-entropy loss."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from marsseg_core.plugin_api import LossFunction, LossSpec, param

from .weighted import WeightedLoss


@dataclass(frozen=True)
class GCE(WeightedLoss):
    """Generalised cross-entropy: between cross-entropy and mean absolute error, against wrong labels.

    With p the softmax of the labelled class, a pixel has the value (1 − p^q) / q. For q → 0 this is the cross-entropy
    −log p, which learns fastest; q = 1 is 1 − p, which wrong labels affect least, as the value is at most 1 / q. The
    loss is the mean of the values over the labelled pixels of the batch, weighted by the class weights; 0 if there is
    no such pixel.

    Paper: Zhang and Sabuncu, arXiv 1805.07836; here without its truncation. The default q is the paper's.
    """

    q: float = param(0.7, help="larger values trust the labels less", above=0, maximum=1)

    def build(self, spec: LossSpec) -> LossFunction:
        from keras import ops

        from .cross_entropy import pixel_cross_entropy, valid_pixels, weighted_mean

        weights = self.class_weights(spec)

        def gce(labels: Any, logits: Any) -> Any:
            valid = valid_pixels(labels, spec.ignore_classes)
            # Computed from the logarithm, 1 − p^q keeps its precision for small q and for p near 1.
            values = -ops.expm1(-self.q * pixel_cross_entropy(labels, logits, valid)) / self.q
            return weighted_mean(values, labels, valid, weights)

        return gce
