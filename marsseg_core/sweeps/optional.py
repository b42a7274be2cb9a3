"""Import Optuna, which only sweeps need."""

from __future__ import annotations

import importlib
from typing import Any

from ..errors import RequestError


def import_optuna() -> Any:
    """Return Optuna's module. Raises RequestError that names the extra if it is not installed."""
    try:
        optuna = importlib.import_module("optuna")
    except ImportError as cause:
        raise RequestError(
            f"A sweep needs Optuna, which cannot be imported: {cause}.",
            where="sweep",
            hint='Install it: pip install "marsseg[sweep]"',
        ) from cause
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna
