"""Adadelta."""

from __future__ import annotations

from dataclasses import dataclass

from marsseg_core.plugin_api import param

from .keras_optimizer import KerasOptimizer


@dataclass(frozen=True)
class Adadelta(KerasOptimizer):
    """Adadelta: scales steps by moving means of squared gradients and of squared steps.

    Its published learning rate is 1: set `--learning-rate 1`.

    Paper: Zeiler, arXiv 1212.5701.
    """

    keras_name = "Adadelta"

    rho: float = param(0.95, help="decay factor of the means, per step", minimum=0, maximum=1)
    epsilon: float = param(1e-7, help="added to the denominator", above=0)
