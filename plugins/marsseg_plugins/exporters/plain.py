"""Write a network in Keras' own layers and operations, so that Keras reads it without the modules of its other layers.

A layer of another module is replaced by the operations of `keras.ops` that its `call` records for symbolic tensors, and
by the layers of Keras inside it. What it computes from its weights alone is computed once. The result becomes the
weight of an `Embedding` with one row, because operations have no weights; small ones are constants of the operation.

The public part of Keras that this needs is `clone_model`, which visits the calls of a functional network in order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

import keras
import numpy as np
from keras import ops

# Larger constants become weights: in a constant each number is text.
_SMALL: Final = 64

# Marks names that were in the network before. Keras numbers the names of new operations, and may use them again.
_MARK: Final = "__"


def plain_network(network: keras.Model) -> keras.Model:
    """Return a network of Keras' own layers and operations that computes what `network` computes in predictions.

    `network` has one input and one output. It cannot be used afterwards, because its layers get other names.

    Raises:
        ValueError: A layer cannot be replaced.
    """
    _mark_names(network)
    images = _input_like(network)
    expanded = keras.Model(images, _replay(network, images, _expand))
    images = _input_like(network)
    return keras.Model(images, _replay(expanded, images, _Constants(images)), name=network.name)


def _mark_names(network: keras.Model) -> None:
    for operation in network.operations:
        operation.name += _MARK
        if isinstance(operation, keras.Model):
            _mark_names(operation)


def _input_like(network: keras.Model) -> Any:
    images = network.inputs[0]
    return keras.Input(images.shape[1:], dtype=images.dtype, name=images.name)


def _replay(network: keras.Model, images: Any, call: Callable[..., Any]) -> Any:
    """Compute a functional network for a symbolic tensor, where `call(layer, …)` computes each layer."""
    recorded = []

    def record(layer: Any, *arguments: Any, **options: Any) -> Any:
        result = layer(*arguments, **options)
        recorded.append((layer, arguments, options, result))
        return result

    clone = keras.models.clone_model(network, clone_function=lambda layer: layer, call_function=record)
    tensors = {id(clone.inputs[0]): images}

    def replaced(value: Any) -> Any:
        return tensors[id(value)] if isinstance(value, keras.KerasTensor) else value

    for layer, arguments, options, result in recorded:
        if isinstance(layer, keras.layers.InputLayer):
            continue
        arguments, options = keras.tree.map_structure(replaced, (arguments, options))
        new = keras.tree.flatten(call(layer, *arguments, **options))
        tensors |= {id(old): tensor for old, tensor in zip(keras.tree.flatten(result), new, strict=True)}
    return tensors[id(clone.outputs[0])]


def _expand(layer: Any, *arguments: Any, **options: Any) -> Any:
    """Call a layer of Keras; in place of another layer, record its operations."""
    if isinstance(layer, keras.Model):
        return _replay(layer, arguments[0], _expand)
    if type(layer).__module__.partition(".")[0] == "keras":
        return layer(*arguments, **options)
    for inner in _inner_layers(layer):
        if not inner.name.endswith(_MARK):  # else the layer is called again
            inner.name = f"{layer.name}{inner.name}{_MARK}"
    try:
        # A layer may have a form for this, where `call` uses more than Keras' layers and operations.
        return getattr(layer, "plain_call", layer.call)(*arguments, **options)
    except Exception as cause:
        raise ValueError(
            f"the layer {layer.name.removesuffix(_MARK)} of the class {type(layer).__name__} cannot be written in "
            f"Keras' own operations: {cause}"
        ) from cause


def _inner_layers(layer: Any) -> Iterator[Any]:
    return (inner for inner in layer._flatten_layers(include_self=False) if not isinstance(inner, keras.Model))


class _Constants:
    """Call layers and operations with weights in place of constants, under names that no other one has."""

    def __init__(self, images: Any) -> None:
        self._images = images
        self._named: dict[str, Any] = {}
        self._tensors: dict[int, tuple[Any, Any]] = {}  # by the id of a constant: its tensor, and it, to keep its id

    def __call__(self, operation: Any, *arguments: Any, **options: Any) -> Any:
        if self._named.get(operation.name) is not operation:
            operation.name = self._free(operation.name.removesuffix(_MARK).replace(_MARK, "_"))
            self._named[operation.name] = operation

        def replaced(value: Any) -> Any:
            is_constant = isinstance(value, keras.Variable | np.ndarray) or ops.is_tensor(value)
            return self._constant(operation.name, value) if is_constant else value

        arguments, options = keras.tree.map_structure(replaced, (arguments, options))
        return operation(*arguments, **options)

    def _free(self, name: str) -> str:
        number, free = 1, name
        while free in self._named:
            number, free = number + 1, f"{name}_{number}"
        return free

    def _constant(self, name: str, value: Any) -> Any:
        if id(value) not in self._tensors:
            array = ops.convert_to_numpy(value)
            is_weight = array.size > _SMALL and array.dtype == np.float32
            self._tensors[id(value)] = (self._weight(name, array) if is_weight else array, value)
        return self._tensors[id(value)][0]

    def _weight(self, name: str, array: np.ndarray) -> Any:
        """Return a symbolic tensor with these values, which are the weights of a layer."""
        layer = keras.layers.Embedding(1, array.size, name=self._free(f"{name}_constant"))
        self._named[layer.name] = layer
        row = layer(ops.zeros_like(self._images[:1, 0, 0, 0], dtype="int32"))
        layer.set_weights([array.reshape(1, -1)])
        return ops.reshape(row, array.shape)
