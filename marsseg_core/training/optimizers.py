"""Build the plan's optimizer."""

from __future__ import annotations

from typing import Any

import keras

from ..components.specs import OptimizerSpec
from ..errors import PluginError
from ..planning.invoke import build_component
from ..planning.plan import Plan
from ..registry import kinds
from ..registry.parameters import settings


def build_optimizer(plan: Plan, rate: Any) -> keras.optimizers.Optimizer:
    """Build the plan's optimizer with `rate`, a learning rate or a Keras schedule.

    Raises RequestError where parameters exclude each other, and PluginError where the component does not build a Keras
    optimizer.
    """
    resolved, training = plan.resolved[kinds.OPTIMIZER][0], plan.training
    arguments: dict[str, Any] = {"learning_rate": rate}
    arguments |= {name: value for name, value in settings(resolved.options).items() if value is not None}
    if training.weight_decay is not None:
        arguments["weight_decay"] = training.weight_decay
    if training.averaging == "ema":
        arguments |= {"use_ema": True, "ema_momentum": training.ema_momentum, "ema_overwrite_frequency": None}
    optimizer = build_component(resolved, OptimizerSpec(arguments))
    if not isinstance(optimizer, keras.optimizers.Optimizer):
        raise PluginError(f"The {resolved.entry.label} builds {optimizer!r}, which is not a Keras optimizer.")
    return optimizer
