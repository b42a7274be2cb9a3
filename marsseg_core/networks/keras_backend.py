"""What depends on Keras' backend, or asks about it."""

from __future__ import annotations

import logging
import os
import platform
import random
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib import metadata
from threading import Lock, RLock
from typing import Any, Final

import keras
import numpy as np

from ..errors import RequestError

# Keras draws initial weights and seeds of layers from Python's global generator, and keeps dtype policies and names of
# layers in a session that it may be asked to clear.
_one_at_a_time = RLock()


def keep_tensorflow_out() -> None:
    """On other backends, settle that Keras does not import TensorFlow to seed it and to serialise its types."""
    # Keras asks once whether TensorFlow is there, by importing it, and remembers the answer. None in the place of a
    # module makes its import fail.
    with _one_at_a_time:
        if keras.backend.backend() == "tensorflow" or "tensorflow" in sys.modules:
            return
        sys.modules["tensorflow"] = None  # type: ignore[assignment]
        try:
            keras.saving.serialize_keras_object(keras.layers.ReLU())
        finally:
            del sys.modules["tensorflow"]


def ask_for_determinism() -> None:
    """Make the backend choose kernels that give the same numbers each time."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow

        tensorflow.config.experimental.enable_op_determinism()


def choose_compiler(model: keras.Model) -> None:
    """Leave XLA off on a CPU, where a TensorFlow step takes longer with it than without."""
    if keras.backend.backend() == "tensorflow" and not keras.distribution.list_devices("gpu"):
        model.jit_compile = False


def value_and_gradient(function: Callable[[Any], Any], at: Any) -> tuple[Any, Any]:
    """A scalar function's value at a tensor, and its gradient there, of the tensor's shape. Keras has no such thing."""
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow

        with tensorflow.GradientTape() as tape:
            tape.watch(at)
            value = function(at)
        return value, tape.gradient(value, at, unconnected_gradients=tensorflow.UnconnectedGradients.ZERO)
    if backend == "jax":
        import jax

        found: tuple[Any, Any] = jax.value_and_grad(function)(at)
        return found
    raise RequestError(
        f"There are no gradients for a weighting on the backend '{backend}'.",
        where="KERAS_BACKEND",
        hint="Use tensorflow or jax, or a weighting that needs none.",
    )


def concrete(tensor: Any) -> np.ndarray | None:
    """The values of a tensor; None where it has none yet, inside of a function that is being compiled."""
    try:
        return np.asarray(keras.ops.convert_to_numpy(tensor))
    except (NotImplementedError, TypeError):  # TensorFlow's, JAX's
        return None


def train_on_one_device(optimizer: keras.optimizers.Optimizer) -> None:
    """Leave out the sum of gradients over replicas where there is one replica.

    TensorFlow registers that sum's own gradient in a table which nothing empties, and which holds the training step's
    graph with all its variables: in a process that trains several networks, none would ever be freed.
    """
    if keras.backend.backend() == "tensorflow":
        import tensorflow

        if not tensorflow.distribute.has_strategy():
            optimizer._all_reduce_sum_gradients = list


@contextmanager
def many_networks() -> Iterator[None]:
    """Without TensorFlow's warning of functions traced anew, which it counts over all networks of a process."""
    logger = logging.getLogger("tensorflow")

    def is_another(record: logging.LogRecord) -> bool:
        return "retracing" not in record.getMessage()

    logger.addFilter(is_another)
    try:
        yield
    finally:
        logger.removeFilter(is_another)


# What networks are built and run with, whatever keras.json, the environment or a notebook says: (read, set, value).
_SETTINGS: Final = {
    "floatx": (keras.config.floatx, keras.config.set_floatx, "float32"),
    "image_data_format": (keras.config.image_data_format, keras.config.set_image_data_format, "channels_last"),
    "epsilon": (keras.config.epsilon, keras.config.set_epsilon, 1e-7),
    "max_epochs": (keras.config.max_epochs, keras.config.set_max_epochs, None),
    "max_steps_per_epoch": (keras.config.max_steps_per_epoch, keras.config.set_max_steps_per_epoch, None),
}

_settings = Lock()
_settings_users = 0
_settings_before: dict[str, Any] = {}


@contextmanager
def fixed_settings() -> Iterator[None]:
    """Let Keras' global settings be marsseg's, so that those of the user change no result; theirs come back.

    They belong to the process. Threads may leave in another order than they came: all are given the same values, and
    the last to leave puts the user's back.
    """
    global _settings_users, _settings_before
    with _settings:
        # First, as Keras derives it from `floatx` where nobody has set it.
        policy = keras.config.dtype_policy()
        if not _settings_users:
            _settings_before = {name: read() for name, (read, _, _) in _SETTINGS.items()}
            for _, write, value in _SETTINGS.values():
                write(value)
        _settings_users += 1
    # The policy belongs to the thread.
    keras.config.set_dtype_policy("float32")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(policy)
        with _settings:
            _settings_users -= 1
            if not _settings_users:
                for name, (_, write, _) in _SETTINGS.items():
                    write(_settings_before[name])


@contextmanager
def precision(policy: str = "float32") -> Iterator[None]:
    """Build or read a network with a dtype policy, in one thread at a time, and leave Keras' settings as they were."""
    with _one_at_a_time, fixed_settings():
        keras.config.set_dtype_policy(policy)
        yield


@contextmanager
def own_random_numbers() -> Iterator[None]:
    """Leave Python's and NumPy's global generators, which a run seeds, as they were: a loop that draws from them and
    trains would draw the same numbers each time."""
    before = random.getstate(), np.random.get_state()
    try:
        yield
    finally:
        random.setstate(before[0])
        np.random.set_state(before[1])


def clear_session() -> None:
    """Forget what built networks left behind in Keras; its settings stay.

    Not while another thread builds, whose dtype policy would go.
    """
    with _one_at_a_time:
        policy = keras.config.dtype_policy()
        keras.utils.clear_session()
        keras.config.set_dtype_policy(policy)


def _threads() -> int:
    """How many threads share the sums of a training step: their order, and so the last bits, depend on it."""
    given = 0
    if keras.backend.backend() == "tensorflow":
        import tensorflow

        given = tensorflow.config.threading.get_intra_op_parallelism_threads()
        asked = os.environ.get("TF_NUM_INTRAOP_THREADS", "")  # TensorFlow takes it where nothing was set
        given = given or (int(asked) if asked.isdecimal() else 0)
    # What this process may use: a container or `taskset` may allow fewer than the machine has.
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return given or allowed


def environment(distributions: Mapping[str, str]) -> dict[str, Any]:
    """The machine and the versions a run was made with; `distributions` are those that it needs to be loaded again."""
    names = ("marsseg", "keras", "tensorflow", "jax", "numpy", "scipy")
    versions = dict(distributions)
    for name in names:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return {
        "schema": 1,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processors": os.cpu_count(),
        "backend": keras.backend.backend(),
        "keras": {name: value for name, (_, _, value) in _SETTINGS.items()},
        "devices": keras.distribution.list_devices(),
        "threads": _threads(),
        "versions": versions,
        "command": sys.argv,
    }
