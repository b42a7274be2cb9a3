"""A functional network as the list of its calls: which layer takes which tensors and gives which."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras


@dataclass(frozen=True, eq=False)
class Call:
    """One use of a layer. A layer that is applied four times has four calls; tensors are symbolic."""

    layer: Any
    inputs: tuple[Any, ...]
    outputs: tuple[Any, ...]


def calls(network: keras.Model) -> list[Call]:
    """The calls of a functional network in the order of computation."""
    found = []

    def record(layer: Any, *arguments: Any, **options: Any) -> Any:
        result = layer(*arguments, **options)
        tensors = [t for t in keras.tree.flatten((arguments, options)) if isinstance(t, keras.KerasTensor)]
        found.append(Call(layer, tuple(tensors), tuple(keras.tree.flatten(result))))
        return result

    # Cloning is the public way to be called at each node; the layers are the network's own.
    keras.models.clone_model(network, clone_function=lambda layer: layer, call_function=record)
    return [call for call in found if not isinstance(call.layer, keras.layers.InputLayer)]
