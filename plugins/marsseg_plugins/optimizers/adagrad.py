"""Adagrad."""

from __future__ import annotations

from dataclasses import dataclass

from marsseg_core.plugin_api import param

from .keras_optimizer import KerasOptimizer


@dataclass(frozen=True)
class Adagrad(KerasOptimizer):
    """Adagrad: makes smaller steps for weights whose past gradients are large.

    Paper: Duchi, Hazan and Singer, JMLR 12 (2011).
    """

    keras_name = "Adagrad"

    initial_accumulator_value: float = param(0.1, help="sum of squared gradients at the start", minimum=0)
    epsilon: float = param(1e-7, help="added to the denominator", above=0)
