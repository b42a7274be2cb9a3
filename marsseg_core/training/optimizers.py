"""Keras' optimisers by name."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import keras

from ..composition import Named
from ..errors import RequestError, nearest
from ..options import TrainingOptions, optimizer_named
from ..parameters import NONE_WORD

# What the plan says elsewhere, or Keras needs to itself.
_NOT_PARAMETERS = {"self", "kwargs", "name", "learning_rate", "weight_decay", "ema_momentum"}
_NOT_PARAMETERS |= {"use_ema", "ema_overwrite_frequency", "loss_scale_factor"}


def build_optimizer(training: TrainingOptions, rate: Any) -> keras.optimizers.Optimizer:
    """The plan's optimiser with a learning rate or a schedule; RequestError for a parameter that does not fit."""
    named = optimizer_named(training.optimizer)
    # `keras.optimizers.get` does not know all of them.
    cls = next(each for name, each in vars(keras.optimizers).items() if name.lower() == named.name)
    options: dict[str, Any] = {"learning_rate": rate} | _parameters(cls, named)
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


def _parameters(cls: type, named: Named) -> dict[str, Any]:
    known: Mapping[str, Any] = {
        name: parameter.default
        for name, parameter in inspect.signature(cls).parameters.items()
        if name not in _NOT_PARAMETERS
    }
    found = {}
    for name, text in named.parameters.items():
        where = f"--optimizer {named.name}"
        if name not in known:
            raise RequestError(f"There is no parameter '{name}'.", where=where, hint=nearest(name, known))
        try:
            found[name] = _value(text, known[name])
        except ValueError:
            kind = "true or false" if isinstance(known[name], bool) else "a number"
            raise RequestError(f"{name}={text} does not fit: it takes {kind}.", where=where) from None
    return found


def _value(text: str, default: Any) -> Any:
    """A number, truth value or none from words; what the default is says which of them."""
    if isinstance(default, bool):
        if text.lower() not in ("true", "false"):
            raise ValueError(text)
        return text.lower() == "true"
    if isinstance(default, str):
        return text
    if text == NONE_WORD:
        return None
    return int(text) if isinstance(default, int) else float(text)
