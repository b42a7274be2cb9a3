"""FTRL."""

from __future__ import annotations

from dataclasses import dataclass

from marsseg_core.plugin_api import param

from .keras_optimizer import KerasOptimizer


@dataclass(frozen=True)
class Ftrl(KerasOptimizer):
    """FTRL: follows the regularised leader, for sparse weights.

    Paper: McMahan and others, KDD 2013.
    """

    keras_name = "Ftrl"

    learning_rate_power: float = param(
        -0.5, help="exponent by which the rate falls with the sum of squared gradients", maximum=0
    )
    initial_accumulator_value: float = param(0.1, help="sum of squared gradients at the start", minimum=0)
    l1_regularization_strength: float = param(0.0, help="L1 penalty", minimum=0)
    l2_regularization_strength: float = param(0.0, help="L2 penalty", minimum=0)
    l2_shrinkage_regularization_strength: float = param(
        0.0, help="L2 penalty that acts only through the gradient", minimum=0
    )
    beta: float = param(0.0, help="added to the root of the sum of squared gradients", minimum=0)
