"""Keras' optimisers by name."""

from __future__ import annotations

from typing import Any

import keras

from ..errors import RequestError
from ..planning.optimizer_names import optimizer_named
from ..planning.options import TrainingOptions


def build_optimizer(training: TrainingOptions, rate: Any) -> keras.optimizers.Optimizer:
    """The plan's optimiser with a learning rate or a schedule; RequestError for a parameter that does not fit."""
    wanted, parameters = optimizer_named(training.optimizer)
    # `keras.optimizers.get` does not know all of them.
    cls = next(each for name, each in vars(keras.optimizers).items() if name.lower() == wanted)
    options: dict[str, Any] = {"learning_rate": rate} | parameters
    if training.weight_decay is not None:
        options["weight_decay"] = training.weight_decay
    if training.averaging == "ema":
        options |= {"use_ema": True, "ema_momentum": training.ema_momentum, "ema_overwrite_frequency": None}
    try:
        return cls(**options)
    except (ValueError, TypeError) as cause:
        raise RequestError(
            f"These parameters do not go together: {cause}", where=f"--optimizer {training.optimizer}"
        ) from cause
