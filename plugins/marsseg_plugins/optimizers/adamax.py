"""Adamax."""

from __future__ import annotations

from dataclasses import dataclass

from marsseg_core.plugin_api import param

from .keras_optimizer import KerasOptimizer


@dataclass(frozen=True)
class Adamax(KerasOptimizer):
    """Adamax: Adam with the largest gradient instead of the mean squared gradient.

    Paper: Kingma and Ba, arXiv 1412.6980, section 7.
    """

    keras_name = "Adamax"

    beta_1: float = param(0.9, help="decay factor of the mean of gradients, per step", minimum=0, below=1)
    beta_2: float = param(0.999, help="decay factor of the largest gradient, per step", minimum=0, maximum=1)
    epsilon: float = param(1e-7, help="added to the denominator", above=0)
