"""AdamW."""

from __future__ import annotations

from dataclasses import dataclass

from marsseg_core.plugin_api import param

from .keras_optimizer import KerasOptimizer


@dataclass(frozen=True)
class AdamW(KerasOptimizer):
    """AdamW: Adam with weight decay that is separate from the gradients.

    The weight decay is 0.004 unless the plan sets another one.

    Paper: Loshchilov and Hutter, arXiv 1711.05101.
    """

    keras_name = "AdamW"

    beta_1: float = param(0.9, help="decay factor of the mean of gradients, per step", minimum=0, below=1)
    beta_2: float = param(0.999, help="decay factor of the mean of squared gradients, per step", minimum=0, below=1)
    epsilon: float = param(1e-7, help="added to the denominator", above=0)
    amsgrad: bool = param(
        False, help="divide by the largest mean of squared gradients so far (AMSGrad, Reddi and others 2018)"
    )
