"""Lion."""

from __future__ import annotations

from dataclasses import dataclass

from marsseg_core.plugin_api import param

from .keras_optimizer import KerasOptimizer


@dataclass(frozen=True)
class Lion(KerasOptimizer):
    """Lion: steps of the sign of the mean gradient.

    It needs a learning rate 3 to 10 times smaller than that of Adam.

    Paper: Chen and others, arXiv 2302.06675.
    """

    keras_name = "Lion"

    beta_1: float = param(0.9, help="decay factor of the mean from which the step is computed", above=0, maximum=1)
    beta_2: float = param(0.99, help="decay factor of the mean that is stored for the next step", above=0, maximum=1)
