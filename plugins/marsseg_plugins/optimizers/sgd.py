"""SGD."""

from __future__ import annotations

from dataclasses import dataclass

from marsseg_core.plugin_api import param

from .keras_optimizer import KerasOptimizer


@dataclass(frozen=True)
class SGD(KerasOptimizer):
    """SGD: steps along the gradient, with optional momentum.

    Papers: Robbins and Monro 1951; for momentum, Polyak 1964 and Nesterov 1983.
    """

    keras_name = "SGD"

    momentum: float = param(0.0, help="decay factor of the momentum, per step", minimum=0, maximum=1)
    nesterov: bool = param(False, help="use Nesterov's momentum")

    def without_effect(self) -> dict[str, str]:
        return {} if self.momentum else {"nesterov": "momentum"}
