"""Find out which backend Keras will use, without importing Keras; and import Keras, which takes seconds."""

from __future__ import annotations

import json
import os
import sys
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from ..errors import RequestError
from ..files.native_output import native_output_hidden
from .allocator import keep_freed_memory
from .on_demand import imported_on_demand

# Gradients, devices and determinism need code for each backend (`keras_backend/`).
SUPPORTED: Final = ("tensorflow", "jax")

_VARIABLE: Final = "KERAS_BACKEND"


def chosen_backend() -> str:
    """Return the name of the backend that Keras uses, or will use once it is imported."""
    backend = getattr(sys.modules.get("keras"), "backend", None)
    if backend is not None:
        return str(backend.backend())
    if name := os.environ.get(_VARIABLE):
        return name
    try:
        settings = json.loads(_settings_file().read_text(encoding="utf-8"))
    except (OSError, ValueError):  # then Keras uses its defaults
        settings = {}
    return str(settings.get("backend", SUPPORTED[0])) if isinstance(settings, dict) else SUPPORTED[0]


def check_backend() -> None:
    """Raise RequestError where marsseg does not support Keras' backend, or the backend is not installed."""
    name = chosen_backend()
    if name not in SUPPORTED:
        raise RequestError(
            f"marsseg works on TensorFlow and on JAX; Keras' backend is '{name}'.",
            where=_origin(),
            hint="Set KERAS_BACKEND=tensorflow or KERAS_BACKEND=jax before Keras is imported. "
            "If it is not set, keras.json decides.",
        )
    if name not in sys.modules and find_spec(name) is None:
        raise RequestError(
            f"Keras' backend is '{name}', which is not installed.",
            where=_origin(),
            hint=f"pip install {name}; or set KERAS_BACKEND={next(other for other in SUPPORTED if other != name)}.",
        )


def start_keras() -> None:
    """Import Keras and start its backend. Raises RequestError, with the cause, where this fails.

    What the backend prints about itself is shown only if it fails.
    """
    check_backend()
    try:
        _start()
    except Exception as cause:
        raise RequestError(
            f"Keras cannot be loaded: {cause}",
            where=_origin(),
            hint="`python -c 'import keras'` shows where it fails.",
        ) from cause


@cache
def _start() -> None:
    """Import Keras and start its backend, once: later calls would only hide what other threads print."""
    keep_freed_memory()
    # TensorFlow's C++ code prints before its log level is set.
    with native_output_hidden():
        # Keras imports matplotlib for figures of its own, which takes a tenth of the time.
        with imported_on_demand("matplotlib", "matplotlib.pyplot"):
            import keras

        keras.distribution.list_devices()


def _origin() -> str:
    """Return where the backend is chosen: the environment variable or the settings file."""
    name = os.environ.get(_VARIABLE)
    return f"{_VARIABLE}={name}" if name else str(_settings_file())


def _settings_file() -> Path:
    """Return the path of Keras' settings file, as Keras determines it."""
    home = os.path.expanduser("~")  # unlike Path.home, no error for a user without a home folder
    default = os.path.join(home if os.access(home, os.W_OK) else "/tmp", ".keras")
    return Path(os.path.expanduser(os.environ.get("KERAS_HOME", default)), "keras.json")
