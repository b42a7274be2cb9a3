"""Adafactor."""

from __future__ import annotations

from dataclasses import dataclass

from marsseg_core.plugin_api import param

from .keras_optimizer import KerasOptimizer


@dataclass(frozen=True)
class Adafactor(KerasOptimizer):
    """Adafactor: Adam with a factored second moment, for little memory.

    Shazeer and Stern, arXiv 1804.04235.
    """

    keras_name = "Adafactor"

    beta_2_decay: float = param(-0.8, help="how fast the second moment comes to remember more", maximum=0)
    epsilon_1: float = param(1e-30, help="added to squared gradients", above=0)
    epsilon_2: float = param(1e-3, help="the smallest scale of a weight", above=0)
    clip_threshold: float = param(1.0, help="the largest root mean square of a step", above=0)
    relative_step: bool = param(True, help="let the rate fall as one over the root of the step")
