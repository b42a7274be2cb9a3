"""LAMB."""

from __future__ import annotations

from dataclasses import dataclass

from marsseg_core.plugin_api import param

from .keras_optimizer import KerasOptimizer


@dataclass(frozen=True)
class Lamb(KerasOptimizer):
    """LAMB: Adam with steps scaled to the size of the weights of each layer, for large batches.

    Paper: You and others, arXiv 1904.00962.
    """

    keras_name = "Lamb"

    beta_1: float = param(0.9, help="decay factor of the mean of gradients, per step", minimum=0, below=1)
    beta_2: float = param(0.999, help="decay factor of the mean of squared gradients, per step", minimum=0, below=1)
    epsilon: float = param(1e-7, help="added to the denominator", above=0)
