"""Build a network of `keras.applications` again, as a part of another network."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

import keras
import numpy as np
from keras import layers

from marsseg_core.plugin_api import EncoderSpec

from .custom_layers import LayerScale


@dataclass(frozen=True, eq=False)
class _Map:
    """A tensor of the rebuilt network.

    Attributes:
        tensor: a Keras tensor
        stride: the pixels of the image from one cell to the next
        dilation: the factor by which the cells are closer than in the original network
        unpadded: the tensor before the layer that padded it; None where none did
    """

    tensor: Any
    stride: int = 1
    dilation: int = 1
    unpadded: Any = None


class Rebuilding:
    """Build the layers of a functional network again, on other images.

    Each layer has the prefix and its own name. Layers that the network's author gave no name have that of their class
    and a number, which depends on the network alone. Operations with tensors are layers here too, so that Keras' safe
    mode loads them. Convolutions of single channels are `DepthwiseConv2D`: on processors, a `Conv2D` with groups takes
    many times as long. Strides beyond `spec.output_stride` become dilations of all layers that follow. Batch
    normalisation has `momentum`, unless that is None.

    Attributes:
        maps: the output of each layer by the name of the layer, without the prefix, in the order of computation
        layers: pairs of a layer of the original network and the one that was built for it
    """

    def __init__(self, network: keras.Model, images: Any, spec: EncoderSpec, *, momentum: float | None = None) -> None:
        self.maps: dict[str, Any] = {}
        self.layers: list[tuple[Any, Any]] = []
        self._spec = spec
        self._momentum = momentum
        self._own_prefix = f"{network.name}_"
        self._counts: Counter[str] = Counter()
        self._images = _Map(images)
        self._rebuilt: dict[int, _Map] = {}  # by the id of a tensor of the original network
        self._originals: list[Any] = []  # those tensors, so that the ids stay theirs
        # Keras' public API visits each node of the graph only when it clones a model.
        keras.models.clone_model(network, clone_function=lambda layer: layer, call_function=self._call)

    def values(self) -> dict[str, np.ndarray]:
        """Return the values of the original network's variables, by the names of the rebuilt ones."""
        return {
            f"{new.name}/{variable.name}": keras.ops.convert_to_numpy(value).reshape(variable.shape)
            for original, new in self.layers
            for value, variable in zip(original.weights, new.weights, strict=True)
        }

    def _call(self, layer: Any, *arguments: Any, **options: Any) -> Any:
        """Call a layer of the original network, and build it again."""
        result = layer(*arguments, **options)
        values = keras.tree.flatten((arguments, options))
        maps = [self._rebuilt.get(id(x), self._images) for x in values if isinstance(x, keras.KerasTensor)]
        constants = [x for x in values if isinstance(x, float)]
        for part in layer.layers if isinstance(layer, keras.Sequential) else [layer]:
            maps = [self._build(part, maps, constants)]
        self._originals.append(result)
        self._rebuilt[id(result)] = maps[0]
        return result

    def _build(self, layer: Any, maps: list[_Map], constants: list[float]) -> _Map:
        name = self._name_of(layer)
        if isinstance(layer, keras.Layer):
            config = {**layer.get_config(), "name": f"{self._spec.prefix}{name}"}
            if self._momentum is not None and isinstance(layer, layers.BatchNormalization):
                config["momentum"] = self._momentum
            before, config = self._dilated(maps[0], config)
            new = _layer(layer, config)
            self.layers.append((layer, new))
        else:
            before = maps[0]
            new = _layer_of_operation(layer, constants, f"{self._spec.prefix}{name}")
        tensors = [before.tensor, *(each.tensor for each in maps[1:])]
        tensor = new(tensors if len(tensors) > 1 else tensors[0])
        self.maps[name] = tensor
        is_padding = isinstance(layer, layers.ZeroPadding2D)
        return replace(before, tensor=tensor, unpadded=maps[0].tensor if is_padding else None)

    def _dilated(self, x: _Map, config: dict[str, Any]) -> tuple[_Map, dict[str, Any]]:
        """Return the input of a layer with the stride of its output, and the layer's configuration for this stride."""
        strides = max(keras.tree.flatten(config.get("strides", 1)))
        kernel = max(keras.tree.flatten(config.get("kernel_size", 1)))
        if kernel > 1 and x.dilation > 1:
            config = {**config, "dilation_rate": x.dilation}
        if strides == 1 or x.stride * strides <= self._spec.output_stride:
            return replace(x, stride=x.stride * strides), config
        # Without the stride, the padding of the original network would give the map another size.
        tensor = x.tensor if x.unpadded is None else x.unpadded
        return (
            replace(x, tensor=tensor, dilation=x.dilation * strides),
            {**config, "strides": 1, "padding": "same"},
        )

    def _name_of(self, layer: Any) -> str:
        name: str = layer.name.removeprefix(self._own_prefix)
        stem = re.sub(r"_\d+$", "", name)
        if stem.replace("_", "") != type(layer).__name__.lower():
            return name
        # The number that Keras gave it counts the layers of the whole process.
        self._counts[stem] += 1
        return f"{stem}_{self._counts[stem]}"


def _layer(layer: Any, config: dict[str, Any]) -> Any:
    """Return a new layer of the kind of `layer` with another configuration."""
    if type(layer).__name__ == "LayerScale":
        return LayerScale(config["init_values"], name=config["name"], dtype=config["dtype"])
    if isinstance(layer, layers.Conv2D) and layer.groups == layer.filters > 1:
        same = ("kernel_size", "strides", "padding", "dilation_rate", "use_bias", "bias_initializer", "name", "dtype")
        kept = {key: config[key] for key in same}
        return layers.DepthwiseConv2D(depthwise_initializer=config["kernel_initializer"], **kept)
    return type(layer).from_config(config)


def _layer_of_operation(operation: Any, constants: list[float], name: str) -> Any:
    """Return the layer that adds two maps, or adds a number to a map, or multiplies a map by one."""
    kind = type(operation).__name__
    if not constants:
        return {"Add": layers.Add, "Multiply": layers.Multiply}[kind](name=name)
    (constant,) = constants
    scale, offset = {"Add": (1.0, constant), "Multiply": (constant, 0.0)}[kind]
    return layers.Rescaling(scale, offset, name=name)
