"""Muon."""

from __future__ import annotations

from dataclasses import dataclass

from marsseg_core.plugin_api import param

from .keras_optimizer import KerasOptimizer


@dataclass(frozen=True)
class Muon(KerasOptimizer):
    """Muon: momentum made orthogonal in each matrix of weights; Adam for the other weights.

    Jordan and others, 2024: kellerjordan.github.io/posts/muon.
    """

    keras_name = "Muon"

    adam_beta_1: float = param(0.9, help="of Adam: what the mean of gradients keeps", minimum=0, maximum=1)
    adam_beta_2: float = param(0.999, help="of Adam: what the mean of squares keeps", minimum=0, maximum=1)
    adam_weight_decay: float = param(0.004, help="of Adam: weight decay", minimum=0)
    epsilon: float = param(1e-7, help="added to the denominator", above=0)
    exclude_embeddings: bool = param(True, help="leave embeddings to Adam")
    muon_a: float = param(3.4445, help="first coefficient of the iteration that makes orthogonal")
    muon_b: float = param(-4.775, help="second coefficient")
    muon_c: float = param(2.0315, help="third coefficient")
    adam_lr_ratio: float = param(1.0, help="rate of Adam over that of Muon", above=0)
    momentum: float = param(0.95, help="decay factor of the momentum, per step", minimum=0, maximum=1)
    ns_steps: int = param(5, help="steps of the iteration", minimum=1)
    nesterov: bool = param(True, help="use Nesterov's momentum")
    rms_rate: float = param(0.2, help="root mean square of a step over the rate", above=0)
