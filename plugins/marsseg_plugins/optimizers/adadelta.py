"""Adadelta."""

from __future__ import annotations

from dataclasses import dataclass

from marsseg_core.plugin_api import param

from .keras_optimizer import KerasOptimizer


@dataclass(frozen=True)
class Adadelta(KerasOptimizer):
    """Adadelta: steps scaled by running means of squared gradients and of squared steps.

    Zeiler, arXiv 1212.5701. Its own rate is 1: give --learning-rate 1.
    """

    keras_name = "Adadelta"

    rho: float = param(0.95, help="what the means keep in each step", minimum=0, maximum=1)
    epsilon: float = param(1e-7, help="added to the denominator", above=0)
