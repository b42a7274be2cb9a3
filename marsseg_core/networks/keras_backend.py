"""Functions that depend on Keras' backend, and Keras' global settings."""

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

# Keras draws initial weights and the seeds of layers from Python's global random generator, and stores dtype policies
# and layer names in a global session. So only one thread may build networks at a time.
_build_lock = RLock()


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


def ask_for_determinism() -> None:
    """Make the backend use deterministic kernels, which give the same numbers in each run."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow

        tensorflow.config.experimental.enable_op_determinism()


def choose_compiler(model: keras.Model) -> None:
    """Switch XLA off for TensorFlow on a CPU, where it makes training steps slower."""
    if keras.backend.backend() == "tensorflow" and not keras.distribution.list_devices("gpu"):
        model.jit_compile = False


def value_and_gradient(function: Callable[[Any], Any], at: Any) -> tuple[Any, Any]:
    """Return the value of a scalar function at the tensor `at`, and its gradient, which has the shape of `at`.

    Keras has no function for this. Raises RequestError on a backend other than TensorFlow and JAX.
    """
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow

        with tensorflow.GradientTape() as tape:
            tape.watch(at)
            value = function(at)
        return value, tape.gradient(value, at, unconnected_gradients=tensorflow.UnconnectedGradients.ZERO)
    if backend == "jax":
        import jax

        result: tuple[Any, Any] = jax.value_and_grad(function)(at)
        return result
    raise RequestError(
        f"This weighting needs gradients, which are not available on the backend '{backend}'.",
        where="KERAS_BACKEND",
        hint="Use tensorflow or jax, or a weighting that needs no gradients.",
    )


def compile_call(network: keras.Model, shape: tuple[int, ...]) -> Callable[[np.ndarray], np.ndarray]:
    """Compile a network, in inference mode, for images of one shape, (B, H, W, C) float32, to float32 logits.

    The compiled function reads the network's variables at each call. On other backends than TensorFlow and JAX, it is
    the plain call.
    """
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow

        traced = tensorflow.function(
            lambda images: network(images, training=False), jit_compile=network.jit_compile, autograph=False
        ).get_concrete_function(tensorflow.TensorSpec(shape, tensorflow.float32))
        return lambda images: np.asarray(traced(tensorflow.constant(images)), np.float32)
    if backend == "jax":
        import jax

        jitted = jax.jit(
            lambda trained, other, images: network.stateless_call(trained, other, images, training=False)[0]
        )

        def call(images: np.ndarray) -> np.ndarray:
            variables = (network.trainable_variables, network.non_trainable_variables)
            return np.asarray(jitted(*([v.value for v in group] for group in variables), images), np.float32)

        return call
    return lambda images: np.asarray(keras.ops.convert_to_numpy(network(images, training=False)), np.float32)


def concrete(tensor: Any) -> np.ndarray | None:
    """Return the values of a tensor, or None for a symbolic tensor, inside of a function that is being compiled."""
    try:
        return np.asarray(keras.ops.convert_to_numpy(tensor))
    except (NotImplementedError, TypeError):  # raised by TensorFlow and by JAX
        return None


def train_on_one_device(optimizer: keras.optimizers.Optimizer) -> None:
    """Skip the sum of gradients over replicas if there is only one replica.

    TensorFlow registers the gradient of that sum in a global table which is never emptied, and which refers to the
    graph of the training step with all its variables. A process that trains several networks could never free their
    memory.
    """
    if keras.backend.backend() == "tensorflow":
        import tensorflow

        if not tensorflow.distribute.has_strategy():
            optimizer._all_reduce_sum_gradients = list


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


def clear_session() -> None:
    """Free Keras' global state of the networks built so far, but keep its settings.

    This waits while another thread builds a network, since that thread's dtype policy would be lost.
    """
    with _build_lock:
        policy = keras.config.dtype_policy()
        keras.utils.clear_session()
        keras.config.set_dtype_policy(policy)


def _thread_count() -> int:
    """Return the number of threads of a training step.

    It determines the order in which numbers are summed, and so the last bits of the results.
    """
    configured = 0
    if keras.backend.backend() == "tensorflow":
        import tensorflow

        configured = tensorflow.config.threading.get_intra_op_parallelism_threads()
        variable = os.environ.get("TF_NUM_INTRAOP_THREADS", "")  # TensorFlow reads it if nothing else is configured
        configured = configured or (int(variable) if variable.isdecimal() else 0)
    # The processors that this process may use: a container or `taskset` may allow fewer than the machine has.
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return configured or allowed


def environment(distributions: Mapping[str, str]) -> dict[str, Any]:
    """Return the content of environment.json: machine, versions, backend, devices and command of this process.

    `distributions` are the packages, with their versions, that are needed to load the run.
    """
    versions = dict(distributions)
    for name in ("marsseg", "keras", "tensorflow", "jax", "numpy", "scipy"):
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
        "threads": _thread_count(),
        "versions": versions,
        "command": sys.argv,
    }
