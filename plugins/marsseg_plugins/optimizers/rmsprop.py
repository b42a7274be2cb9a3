"""RMSprop."""

from __future__ import annotations

from dataclasses import dataclass

from marsseg_core.plugin_api import param

from .keras_optimizer import KerasOptimizer


@dataclass(frozen=True)
class RMSprop(KerasOptimizer):
    """RMSprop: steps of the gradient, divided by the root of the mean squared gradient.

    Source: Hinton, Coursera lecture 6e (2012).
    """

    keras_name = "RMSprop"

    rho: float = param(0.9, help="decay factor of the mean of squared gradients, per step", minimum=0, maximum=1)
    momentum: float = param(0.0, help="decay factor of the momentum, per step", minimum=0, maximum=1)
    epsilon: float = param(1e-7, help="added to the denominator", above=0)
    centered: bool = param(False, help="use the variance of the gradient instead of its mean square")
