"""Loading Keras and its backend: said, and without the backend's own announcements."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import RequestError
from .output import say


def load_keras() -> None:
    """Import Keras and start its backend; if that fails, what the backend printed is shown."""
    say(f"Loading Keras on {os.environ.get('KERAS_BACKEND', 'tensorflow')} …")
    try:
        with _native_stderr_held_back():
            import keras

            keras.distribution.list_devices()
    except Exception as cause:
        raise RequestError(
            f"Keras cannot be loaded: {cause}",
            where=f"KERAS_BACKEND={os.environ.get('KERAS_BACKEND', '')}",
            hint="KERAS_BACKEND names an installed backend: tensorflow or jax.",
        ) from cause


@contextmanager
def _native_stderr_held_back() -> Iterator[None]:
    # TensorFlow's C++ parts print to file descriptor 2 before any log level reaches them.
    sys.stderr.flush()
    original = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException:
            held.seek(0)
            os.write(original, held.read())
            raise
        finally:
            os.dup2(original, 2)
            os.close(original)
