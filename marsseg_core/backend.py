"""What depends on Keras' backend, or asks about it."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from typing import Any

import keras


def keep_tensorflow_out() -> None:
    """On other backends, settle that Keras does not import TensorFlow to seed it and to serialise its types."""
    if keras.backend.backend() == "tensorflow" or "tensorflow" in sys.modules:
        return
    # Keras asks once whether TensorFlow is there, by importing it, and remembers the answer. None in the place of a
    # module makes its import fail.
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


@contextmanager
def precision(policy: str) -> Iterator[None]:
    """Build with a dtype policy, and leave Keras' default as it was."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def environment() -> dict[str, Any]:
    """The machine and the versions a run was made with."""
    names = ("marsseg", "keras", "tensorflow", "jax", "numpy", "scipy")
    versions = {}
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
        "devices": keras.distribution.list_devices(),
        "versions": versions,
        "command": sys.argv,
    }
