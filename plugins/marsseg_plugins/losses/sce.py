"""The symmetric cross-entropy loss."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from marsseg_core.plugin_api import LossFunction, LossSpec, param

from .weighted import WeightedLoss


@dataclass(frozen=True)
class SCE(WeightedLoss):
    """Symmetric cross-entropy: cross-entropy plus its reverse, which wrong labels mislead less.

    With p the softmax of the labelled class, a pixel has the value

        α·(−log p) + β·(−A)·(1 − p)

    The second term is the cross-entropy of the one-hot label with respect to the prediction, −Σ p_k·log g_k, with log 0
    replaced by A. It is bounded, so a pixel with a wrong label cannot dominate. The loss is the mean of the values over
    the labelled pixels of the batch, weighted by the class weights; 0 if there is no such pixel.

    Paper: Wang and others, arXiv 1908.06112; the defaults are its values for CIFAR-10, where labels are noisy.
    """

    alpha: float = param(0.1, help="factor of the cross-entropy", minimum=0)
    reverse: float = param(1.0, help="factor β of the reverse cross-entropy", minimum=0)
    log_zero: float = param(-4.0, help="A: takes the place of log 0", minimum=-100, maximum=-0.01)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (self.alpha or self.reverse):
            raise ValueError("alpha and reverse are both 0: the loss would be 0 for all predictions")

    def without_effect(self) -> dict[str, str]:
        return super().without_effect() | ({} if self.reverse else {"log_zero": "reverse"})

    def build(self, spec: LossSpec) -> LossFunction:
        from keras import ops

        from .cross_entropy import pixel_cross_entropy, valid_pixels, weighted_mean

        weights = self.class_weights(spec)

        def sce(labels: Any, logits: Any) -> Any:
            valid = valid_pixels(labels, spec.ignore_classes)
            entropy = pixel_cross_entropy(labels, logits, valid)
            # Computed from the logarithm, 1 − p keeps its precision where p is nearly 1.
            reversed_entropy = self.log_zero * ops.expm1(-entropy)
            values = self.alpha * entropy + self.reverse * reversed_entropy
            return weighted_mean(values, labels, valid, weights)

        return sce
