"""Adafactor."""

from __future__ import annotations

from dataclasses import dataclass

from marsseg_core.plugin_api import param

from .keras_optimizer import KerasOptimizer


@dataclass(frozen=True)
class Adafactor(KerasOptimizer):
    """Adafactor: Adam with a factored second moment, which needs less memory.

    Paper: Shazeer and Stern, arXiv 1804.04235.
    """

    keras_name = "Adafactor"

    beta_2_decay: float = param(
        -0.8, help="exponent of the step from which the decay factor of the second moment is computed", maximum=0
    )
    epsilon_1: float = param(1e-30, help="added to squared gradients", above=0)
    epsilon_2: float = param(1e-3, help="smallest scale of a weight", above=0)
    clip_threshold: float = param(1.0, help="largest root mean square of a step", above=0)
    relative_step: bool = param(True, help="reduce the learning rate with one over the square root of the step")
