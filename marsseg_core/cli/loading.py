"""Load Keras and its backend, and hide the messages of the backend."""

from __future__ import annotations

import logging

from ..files.native_output import native_output_hidden
from ..files.waiting import waiting
from ..networks.on_demand import imported_on_demand
from ..networks.startup import check_backend, chosen_backend, start_keras


def load_keras() -> None:
    """Import Keras and start its backend. If this fails, the output of the backend is shown."""
    check_backend()
    backend = chosen_backend()
    # TensorFlow Lite imports JAX where both are installed, for conversions that no command makes.
    unused = ("jax",) if backend == "tensorflow" else ()
    words = f"Loading Keras on {backend}"
    # TensorFlow's C++ code prints before its log level is set.
    with waiting(words, level=logging.INFO), native_output_hidden(), imported_on_demand(*unused):
        start_keras()
