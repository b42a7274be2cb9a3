"""Lion."""

from __future__ import annotations

from dataclasses import dataclass

from marsseg_core.plugin_api import param

from .keras_optimizer import KerasOptimizer


@dataclass(frozen=True)
class Lion(KerasOptimizer):
    """Lion: steps by the sign of the mean of gradients.

    Chen and others, arXiv 2302.06675. It wants a rate 3 to 10 times smaller than Adam's.
    """

    keras_name = "Lion"

    beta_1: float = param(0.9, help="what the mean that gives the step keeps", above=0, maximum=1)
    beta_2: float = param(0.99, help="what the mean that is remembered keeps", above=0, maximum=1)
