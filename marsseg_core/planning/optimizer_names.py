"""Keras' optimisers and their parameters, known without Keras: a wrong one is refused before anything is loaded."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

from ..errors import RequestError, nearest
from ..registry.parameters import NONE_WORD
from . import grammar

_ALL: Final[Mapping[str, Any]] = {
    "clipnorm": None,
    "clipvalue": None,
    "global_clipnorm": None,
    "gradient_accumulation_steps": None,
}
_ADAM: Final[Mapping[str, Any]] = {"beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-7}

# Each optimiser's own parameters with their defaults, which say what kind of value they take. Rate, decay and moving
# average are the plan's. `tests/training/test_optimizers.py` compares this with the Keras that is installed.
PARAMETERS: Final[Mapping[str, Mapping[str, Any]]] = {
    name: {**own, **_ALL}
    for name, own in {
        "adadelta": {"rho": 0.95, "epsilon": 1e-7},
        "adafactor": {
            "beta_2_decay": -0.8,
            "epsilon_1": 1e-30,
            "epsilon_2": 1e-3,
            "clip_threshold": 1.0,
            "relative_step": True,
        },
        "adagrad": {"initial_accumulator_value": 0.1, "epsilon": 1e-7},
        "adam": {**_ADAM, "amsgrad": False},
        "adamax": {**_ADAM},
        "adamw": {**_ADAM, "amsgrad": False},
        "ftrl": {
            "learning_rate_power": -0.5,
            "initial_accumulator_value": 0.1,
            "l1_regularization_strength": 0.0,
            "l2_regularization_strength": 0.0,
            "l2_shrinkage_regularization_strength": 0.0,
            "beta": 0.0,
        },
        "lamb": {**_ADAM},
        "lion": {"beta_1": 0.9, "beta_2": 0.99},
        "muon": {
            "adam_beta_1": 0.9,
            "adam_beta_2": 0.999,
            "adam_weight_decay": 0.004,
            "epsilon": 1e-7,
            "exclude_embeddings": True,
            "muon_a": 3.4445,
            "muon_b": -4.775,
            "muon_c": 2.0315,
            "adam_lr_ratio": 1.0,
            "momentum": 0.95,
            "ns_steps": 5,
            "nesterov": True,
            "rms_rate": 0.2,
        },
        "nadam": {**_ADAM},
        "rmsprop": {"rho": 0.9, "momentum": 0.0, "epsilon": 1e-7, "centered": False},
        "sgd": {"momentum": 0.0, "nesterov": False},
    }.items()
}
OPTIMIZERS: Final = tuple(PARAMETERS)


def optimizer_named(text: str) -> tuple[str, dict[str, Any]]:
    """Read a text such as "sgd:momentum=0.9" into the name of an optimiser and the values of its parameters.

    Raises RequestError where Keras has none of the name, or it has no such parameter, or the value does not fit.
    """
    where = f"--optimizer {text}"
    named = grammar.parse(text, where=where)
    if len(named) != 1:
        raise RequestError("A run has one optimiser.", where=where)
    name, known = named[0].name, PARAMETERS.get(named[0].name)
    if known is None:
        hint = nearest(name, OPTIMIZERS, listing="It has")
        raise RequestError(f"Keras has no optimiser '{name}'.", where=where, hint=hint)
    found = {}
    for parameter, value in named[0].parameters.items():
        if parameter not in known:
            raise RequestError(f"There is no parameter '{parameter}'.", where=where, hint=nearest(parameter, known))
        try:
            found[parameter] = _value(value, known[parameter])
        except ValueError:
            kind = "true or false" if isinstance(known[parameter], bool) else "a number"
            raise RequestError(f"{parameter}={value} does not fit: it takes {kind}.", where=where) from None
    return name, found


def _value(text: str, default: Any) -> Any:
    """A finite number, truth value or none from words; what the default is says which of them."""
    if isinstance(default, bool):
        if text.lower() not in ("true", "false"):
            raise ValueError(text)
        return text.lower() == "true"
    if text == NONE_WORD and default is None:
        return None
    number = float(text)
    if not math.isfinite(number) or (isinstance(default, int) and not number.is_integer()):
        raise ValueError(text)
    return int(number) if isinstance(default, int) else number
