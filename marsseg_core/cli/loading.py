"""Load Keras and its backend, and say so where it takes long."""

from __future__ import annotations

import logging

from ..files.waiting import waiting
from ..networks.on_demand import imported_on_demand
from ..networks.startup import check_backend, chosen_backend, start_keras


def load_keras() -> None:
    """Import Keras and start its backend; a spinner shows that this takes seconds."""
    check_backend()
    backend = chosen_backend()
    # Where they are installed, Keras imports scikit-learn for its wrappers, and TensorFlow Lite JAX for conversions.
    # No command uses these.
    unused = ("sklearn", "jax") if backend == "tensorflow" else ("sklearn",)
    words = f"Loading Keras on {backend}"
    with waiting(words, level=logging.INFO), imported_on_demand(*unused):
        start_keras()
