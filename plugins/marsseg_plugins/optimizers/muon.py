"""Muon."""

from __future__ import annotations

from dataclasses import dataclass

from marsseg_core.plugin_api import param

from .keras_optimizer import KerasOptimizer


@dataclass(frozen=True)
class Muon(KerasOptimizer):
    """Muon: orthogonalised momentum for each matrix of weights; Adam for the other weights.

    Source: Jordan and others, 2024, kellerjordan.github.io/posts/muon.
    """

    keras_name = "Muon"

    adam_beta_1: float = param(0.9, help="Adam: decay factor of the mean of gradients, per step", minimum=0, below=1)
    adam_beta_2: float = param(
        0.999, help="Adam: decay factor of the mean of squared gradients, per step", minimum=0, below=1
    )
    adam_weight_decay: float = param(0.004, help="Adam: weight decay", minimum=0)
    epsilon: float = param(1e-7, help="added to the denominator", above=0)
    exclude_embeddings: bool = param(True, help="use Adam for embeddings")
    muon_a: float = param(3.4445, help="first coefficient of the iteration that orthogonalises the momentum")
    muon_b: float = param(-4.775, help="second coefficient of this iteration")
    muon_c: float = param(2.0315, help="third coefficient of this iteration")
    adam_lr_ratio: float = param(1.0, help="learning rate of Adam, divided by that of Muon", above=0)
    momentum: float = param(0.95, help="decay factor of the momentum, per step", minimum=0, maximum=1)
    ns_steps: int = param(5, help="steps of this iteration", minimum=1, maximum=100)
    nesterov: bool = param(True, help="use Nesterov's momentum")
    rms_rate: float = param(0.2, help="root mean square of a step, divided by the learning rate", above=0)
