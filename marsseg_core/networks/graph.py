"""List the layer calls of a functional network, with their input and output tensors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras


@dataclass(frozen=True, eq=False)
class Call:
    """One call of a layer, with symbolic tensors. A layer that is used four times has four calls."""

    layer: Any
    inputs: tuple[Any, ...]
    outputs: tuple[Any, ...]


def calls(network: keras.Model) -> list[Call]:
    """Return the layer calls of a functional network in the order of computation, without its input layers."""
    recorded = []

    def record(layer: Any, *arguments: Any, **options: Any) -> Any:
        result = layer(*arguments, **options)
        tensors = [t for t in keras.tree.flatten((arguments, options)) if isinstance(t, keras.KerasTensor)]
        recorded.append(Call(layer, tuple(tensors), tuple(keras.tree.flatten(result))))
        return result

    # Keras' public API visits each node of the graph only when it clones a model. No layer is copied here.
    keras.models.clone_model(network, clone_function=lambda layer: layer, call_function=record)
    return [call for call in recorded if not isinstance(call.layer, keras.layers.InputLayer)]
