"""Run checks on another backend of Keras, in one process that serves all checks of a test session.

Keras can have only one backend in a process, and to import another one takes seconds.
"""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec

import pytest

from .processes import Server


def other_backend() -> str:
    """Return the backend for training that Keras does not use now: "tensorflow" or "jax".

    The check that calls this is skipped if that backend is not installed.
    """
    import keras

    other = {"tensorflow": "jax", "jax": "tensorflow"}[keras.backend.backend()]
    if find_spec(other) is None:
        pytest.skip(f"{other} is not installed")
    return other


def run_on_backend(backend: str, code: str, *words: str) -> None:
    """Run Python code with this backend of Keras; `words` are its arguments.

    If the code fails, its traceback is the message of an AssertionError.
    """
    _server(backend).run(code, *words)


@cache
def _server(backend: str) -> Server:
    return Server(KERAS_BACKEND=backend)
