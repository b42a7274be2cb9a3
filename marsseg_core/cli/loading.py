"""Load Keras and its backend with one message, and hide the messages of the backend."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from ..networks.on_demand import imported_on_demand
from ..networks.startup import check_backend, chosen_backend, start_keras
from .output import say


def load_keras() -> None:
    """Import Keras and start its backend. If this fails, the output of the backend is shown."""
    check_backend()
    backend = chosen_backend()
    say(f"Loading Keras on {backend} …")
    # TensorFlow Lite imports JAX where both are installed, for conversions that no command makes.
    unused = ("jax",) if backend == "tensorflow" else ()
    with _hidden_native_stderr(), imported_on_demand(*unused):
        start_keras()


@contextmanager
def _hidden_native_stderr() -> Iterator[None]:
    # TensorFlow's C++ code prints to file descriptor 2 before its log level is set.
    sys.stderr.flush()
    with ExitStack() as stack:
        try:
            hidden = stack.enter_context(tempfile.TemporaryFile())
        except OSError:  # no folder for temporary files can be written: nothing is hidden
            yield
            return
        original = os.dup(2)
        os.dup2(hidden.fileno(), 2)
        try:
            yield
        except BaseException:
            hidden.seek(0)
            stack.callback(sys.stderr.write, hidden.read().decode(errors="replace"))
            raise
        finally:
            os.dup2(original, 2)
            os.close(original)
