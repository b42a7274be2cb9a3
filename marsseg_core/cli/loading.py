"""Loading Keras and its backend: said, and without the backend's own announcements."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from ..networks.startup import check_backend, chosen_backend, start_keras
from .output import say


def load_keras() -> None:
    """Import Keras and start its backend; if that fails, what the backend printed is shown."""
    check_backend()
    say(f"Loading Keras on {chosen_backend()} …")
    with _native_stderr_held_back():
        start_keras()


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
