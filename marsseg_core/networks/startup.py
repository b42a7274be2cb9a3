"""Which backend Keras is going to have, and starting it. Asking does not import Keras; starting it takes seconds."""

from __future__ import annotations

import json
import os
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from ..errors import RequestError

# Gradients of weightings, devices and determinism are asked of a backend in its own words (`backend.py`).
SUPPORTED: Final = ("tensorflow", "jax")

_VARIABLE: Final = "KERAS_BACKEND"


def chosen_backend() -> str:
    """The backend that Keras has, or is going to have once it is imported."""
    backend = getattr(sys.modules.get("keras"), "backend", None)
    if backend is not None:
        return str(backend.backend())
    if given := os.environ.get(_VARIABLE):
        return given
    try:
        settings = json.loads(_settings_file().read_text(encoding="utf-8"))
    except (OSError, ValueError):  # Keras then goes by its defaults
        settings = {}
    return str(settings.get("backend", SUPPORTED[0])) if isinstance(settings, dict) else SUPPORTED[0]


def check_backend() -> None:
    """RequestError where Keras' backend is one that marsseg does not work on, or is not installed."""
    name = chosen_backend()
    if name not in SUPPORTED:
        raise RequestError(
            f"marsseg works on TensorFlow and on JAX; Keras' backend is '{name}'.",
            where=_origin(),
            hint="Say KERAS_BACKEND=tensorflow or KERAS_BACKEND=jax, before Keras is imported; "
            "without it, keras.json decides.",
        )
    if name not in sys.modules and find_spec(name) is None:
        raise RequestError(
            f"Keras' backend is '{name}', which is not installed.",
            where=_origin(),
            hint=f"pip install {name}; or say KERAS_BACKEND={next(other for other in SUPPORTED if other != name)}.",
        )


def start_keras() -> None:
    """Import Keras with its backend. RequestError says what stands in the way."""
    check_backend()
    try:
        import keras

        keras.distribution.list_devices()
    except Exception as cause:
        raise RequestError(
            f"Keras cannot be loaded: {cause}",
            where=_origin(),
            hint="`python -c 'import keras'` shows where it fails.",
        ) from cause


def _origin() -> str:
    """What decides on the backend."""
    given = os.environ.get(_VARIABLE)
    return f"{_VARIABLE}={given}" if given else str(_settings_file())


def _settings_file() -> Path:
    """Where Keras looks for its settings."""
    home = Path.home()
    default = (home if os.access(home, os.W_OK) else Path("/tmp")) / ".keras"
    return Path(os.environ.get("KERAS_HOME", default)).expanduser() / "keras.json"
