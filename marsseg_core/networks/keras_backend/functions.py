"""Compile functions of tensors, and compute gradients of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import local
from typing import Any

import keras
import numpy as np

_own_gradients = local()  # in each thread: the names of the gradients that TensorFlow has registered


def value_and_gradient(function: Callable[[Any], Any], at: Any) -> tuple[Any, Any]:
    """Return the value of a scalar function at the tensor `at`, and its gradient, which has the shape of `at`.

    Keras has no function for this.
    """
    if keras.backend.backend() == "tensorflow":
        import tensorflow

        with tensorflow.GradientTape() as tape:
            tape.watch(at)
            value = function(at)
        return value, tape.gradient(value, at, unconnected_gradients=tensorflow.UnconnectedGradients.ZERO)
    import jax

    result: tuple[Any, Any] = jax.value_and_grad(function)(at)
    return result


def compile_call(network: keras.Model, shape: tuple[int, ...]) -> Callable[[np.ndarray], np.ndarray]:
    """Compile a network, in inference mode, for images of one shape, (B, H, W, C) float32, to float32 logits.

    The compiled function reads the network's variables at each call.
    """
    if keras.backend.backend() == "tensorflow":
        import tensorflow

        function = tensorflow.function(
            lambda images: network(images, training=False), jit_compile=network.jit_compile, autograph=False
        )
        with temporary_gradients():
            traced = function.get_concrete_function(tensorflow.TensorSpec(shape, tensorflow.float32))
        return lambda images: np.asarray(traced(tensorflow.constant(images)), np.float32)
    import jax

    jitted = jax.jit(lambda trained, other, images: network.stateless_call(trained, other, images, training=False)[0])

    def call(images: np.ndarray) -> np.ndarray:
        variables = (network.trainable_variables, network.non_trainable_variables)
        return np.asarray(jitted(*([v.value for v in group] for group in variables), images), np.float32)

    return call


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function of tensors that reads and assigns variables, compiled where the backend can: on TensorFlow."""
    if keras.backend.backend() != "tensorflow":
        return function
    import tensorflow

    graph = tensorflow.function(function, autograph=False, jit_compile=False, reduce_retracing=True)

    def call(*tensors: Any) -> Any:
        with temporary_gradients():
            return graph(*map(tensorflow.convert_to_tensor, tensors))

    return call


def with_own_gradient(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return `keras.ops.custom_gradient(function)`, whose gradients `temporary_gradients` forgets."""
    decorated: Callable[..., Any] = keras.ops.custom_gradient(function)
    if keras.backend.backend() != "tensorflow":
        return decorated
    import tensorflow

    def call(*tensors: Any) -> Any:
        result = decorated(*tensors)
        if tensorflow.is_symbolic_tensor(result) and (names := getattr(_own_gradients, "names", None)) is not None:
            names.append(result.op.get_attr("_gradient_op_type").decode())
        return result

    return call


@contextmanager
def temporary_gradients() -> Iterator[None]:
    """Forget, when the block ends, the gradients of `with_own_gradient` in graphs that were made inside it.

    TensorFlow registers them in a global table which is never emptied, and which refers to the graphs with all their
    variables. They are only needed while the gradient of a graph is built.
    """
    outer, _own_gradients.names = getattr(_own_gradients, "names", None), []
    try:
        yield
    finally:
        names, _own_gradients.names = _own_gradients.names, outer
        if names:
            from tensorflow.python.framework.ops import gradient_registry

            for name in names:
                gradient_registry._registry.pop(name, None)


def concrete(tensor: Any) -> np.ndarray | None:
    """Return the values of a tensor, or None for a symbolic tensor, inside a function that is being compiled."""
    try:
        return np.asarray(keras.ops.convert_to_numpy(tensor))
    except (NotImplementedError, TypeError):  # raised by TensorFlow and by JAX
        return None
