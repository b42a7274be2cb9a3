"""What belongs to the whole process, and not to one network: Keras' settings, its session, and random states."""

from __future__ import annotations

import logging
import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock, RLock
from typing import Any, Final

import keras
import numpy as np

# Keras draws initial weights and the seeds of layers from Python's global random generator, and stores dtype policies
# and layer names in a global session. So only one thread may build networks at a time.
_build_lock = RLock()

# The settings with which networks are built and run, also where keras.json, the environment or a notebook has others:
# name → (read, set, value).
_SETTINGS: Final = {
    "floatx": (keras.config.floatx, keras.config.set_floatx, "float32"),
    "image_data_format": (keras.config.image_data_format, keras.config.set_image_data_format, "channels_last"),
    "epsilon": (keras.config.epsilon, keras.config.set_epsilon, 1e-7),
    "max_epochs": (keras.config.max_epochs, keras.config.set_max_epochs, None),
    "max_steps_per_epoch": (keras.config.max_steps_per_epoch, keras.config.set_max_steps_per_epoch, None),
}

_settings_lock = Lock()
_settings_users = 0
_user_settings: dict[str, Any] = {}


def fixed_values() -> dict[str, Any]:
    """Return the values of Keras' settings with which networks are built and run, by name."""
    return {name: value for name, (_, _, value) in _SETTINGS.items()}


@contextmanager
def fixed_settings() -> Iterator[None]:
    """Use marsseg's values of Keras' global settings inside the block, so that the user's settings change no result.

    The settings belong to the process, and threads may leave this block in another order than they entered it. All
    threads use the same values, and the last thread that leaves restores the user's settings.
    """
    global _settings_users, _user_settings
    with _settings_lock:
        # Read the policy first: if it was never set, Keras derives it from `floatx`, which is changed below.
        policy = keras.config.dtype_policy()
        if not _settings_users:
            _user_settings = {name: read() for name, (read, _, _) in _SETTINGS.items()}
        for _, write, value in _SETTINGS.values():  # also inside another block, as a plugin may have changed them
            write(value)
        _settings_users += 1
    # Each thread has its own policy.
    keras.config.set_dtype_policy("float32")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(policy)
        with _settings_lock:
            _settings_users -= 1
            if not _settings_users:
                for name, (_, write, _) in _SETTINGS.items():
                    write(_user_settings[name])


@contextmanager
def precision(policy: str = "float32") -> Iterator[None]:
    """Use a dtype policy inside the block, to build or load a network. Only one thread at a time can be inside."""
    with _build_lock, fixed_settings():
        keras.config.set_dtype_policy(policy)
        yield


def clear_session() -> None:
    """Free Keras' global state of the networks built so far, but keep its settings.

    This waits while another thread builds a network, since that thread's dtype policy would be lost.
    """
    with _build_lock:
        policy = keras.config.dtype_policy()
        keras.utils.clear_session()
        keras.config.set_dtype_policy(policy)


@contextmanager
def preserve_random_state() -> Iterator[None]:
    """Restore the states of Python's and NumPy's global random generators when the block ends.

    A run seeds them. Without this, a user's loop that draws random numbers and trains would draw the same numbers in
    each pass.
    """
    python_state, numpy_state = random.getstate(), np.random.get_state()
    try:
        yield
    finally:
        random.setstate(python_state)
        np.random.set_state(numpy_state)


def avoid_importing_tensorflow() -> None:
    """Make sure that Keras does not import TensorFlow where another backend is used.

    Keras would do so to seed TensorFlow and to serialise its types.
    """
    # Keras tries to import TensorFlow once, and stores whether this worked. None in `sys.modules` makes it fail.
    with _build_lock:
        if keras.backend.backend() == "tensorflow" or "tensorflow" in sys.modules:
            return
        sys.modules["tensorflow"] = None  # type: ignore[assignment]
        try:
            keras.saving.serialize_keras_object(keras.layers.ReLU())
        finally:
            del sys.modules["tensorflow"]


@contextmanager
def silence_retracing_warning() -> Iterator[None]:
    """Suppress TensorFlow's warning of functions that are traced again.

    TensorFlow counts the traces of all networks of a process together, so the warning would come without a reason.
    """
    logger = logging.getLogger("tensorflow")

    def is_other_warning(record: logging.LogRecord) -> bool:
        return "retracing" not in record.getMessage()

    logger.addFilter(is_other_warning)
    try:
        yield
    finally:
        logger.removeFilter(is_other_warning)
