"""Build the fast form of a network: the same function of the same variables, for less work."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any
from weakref import WeakKeyDictionary

import keras

from .depthwise import has_fast_gradient
from .fast_layers import FastConvolution, FastDepthwiseConvolution, FastNormalisation
from .graph import calls
from .keras_backend.devices import choose_compiler, has_gpu

# A map that is used enlarged: the small map and its factor. The factor of other maps is 1.
_Part = tuple[Any, int]

# The fast forms of networks that are in use. Each one is compiled once for training and once for predictions.
_built: WeakKeyDictionary[keras.Model, keras.Model] = WeakKeyDictionary()


def fast_network(network: keras.Model) -> keras.Model:
    """Return a network that computes the same outputs and gradients as a functional network, faster where it can.

    The result shares all variables, and the layers that it does not replace, with `network`. Use it to train and to
    predict. What is saved, counted, drawn and exported stays `network` itself: its layers are plain Keras layers.

    - Convolutions over maps that were enlarged by repetition (`UpSampling2D`, "nearest"), also inside a
      concatenation, are computed at the size before the enlargement (`networks.enlarged`).
    - Batch normalisation uses the backend's own function in training. In predictions it is part of the convolution
      before it.
    - Depthwise convolutions of small maps have a faster gradient (`networks.depthwise`).

    Networks that are not functional stay as they are, and so do all on a GPU, where no gain was measured.
    """
    if type(network).__name__ != "Functional" or has_gpu():
        return network
    if network not in _built:
        _built[network] = _FastForm(network).network
        choose_compiler(_built[network])
    return _built[network]


class _FastForm:
    """The rebuilding of a network, layer by layer, in the order of computation."""

    def __init__(self, network: keras.Model) -> None:
        recorded = calls(network)
        self._uses = Counter(id(tensor) for call in recorded for tensor in call.inputs)
        self._originals = iter(recorded)
        self._parts: dict[int, list[_Part]] = {}  # by the id of a tensor: the maps whose concatenation it is
        self._convolved: dict[int, tuple[Any, list[_Part]]] = {}  # by the id of a tensor: its convolution and inputs
        self.network = keras.models.clone_model(network, clone_function=lambda layer: layer, call_function=self._call)

    def _call(self, layer: Any, *arguments: Any, **options: Any) -> Any:
        """Call a layer of the network, or what replaces it."""
        if isinstance(layer, keras.layers.InputLayer):
            return layer(*arguments, **options)
        used_once = self._uses[id(next(self._originals).outputs[0])] == 1
        # A layer with further arguments, or with a penalty on its output, does more than its kind does.
        has_options = any(value is not None for value in options.values())
        penalty = getattr(layer, "activity_regularizer", None)  # operations of `keras.ops` have none
        if len(arguments) != 1 or has_options or penalty is not None:
            return layer(*arguments, **options)
        (x,) = arguments
        if _is_plain_convolution(layer):
            parts = self._parts_of(x)
            if all(factor == 1 for _, factor in parts) or any(None in part.shape[1:] for part, _ in parts):
                parts = [(x, 1)]
            result = layer(x) if len(parts) == 1 == parts[0][1] else _fast(layer, parts)
            if used_once and layer.activation is keras.activations.linear:
                self._convolved[id(result)] = layer, parts
            return result
        if _is_small_depthwise(layer, x):
            return FastDepthwiseConvolution(layer)(x)
        if _is_plain_normalisation(layer):
            convolution, parts = self._convolved.get(id(x), (None, []))
            return _fast(convolution, parts, layer) if parts else FastNormalisation(layer)(x)
        result = layer(x)
        if _repeats(layer):
            self._parts[id(result)] = [(part, factor * layer.size[0]) for part, factor in self._parts_of(x)]
        elif type(layer) is keras.layers.Concatenate and layer.axis in (-1, 3):
            self._parts[id(result)] = [part for each in x for part in self._parts_of(each)]
        return result

    def _parts_of(self, tensor: Any) -> list[_Part]:
        return self._parts.get(id(tensor), [(tensor, 1)])


def _fast(convolution: Any, parts: Sequence[_Part], normalisation: Any = None) -> Any:
    return FastConvolution(convolution, [factor for _, factor in parts], normalisation)([x for x, _ in parts])


def _repeats(layer: Any) -> bool:
    """Return whether a layer enlarges maps by repetition, equally in both directions."""
    return (
        type(layer) is keras.layers.UpSampling2D
        and layer.interpolation == "nearest"
        and layer.data_format == "channels_last"
        and layer.size[0] == layer.size[1]
    )


def _is_plain_convolution(layer: Any) -> bool:
    """Return whether a layer is a convolution that `FastConvolution` can compute."""
    return (
        type(layer) is keras.layers.Conv2D
        and layer.kernel_size in ((1, 1), (3, 3))
        and layer.strides == layer.dilation_rate == (1, 1)
        and layer.groups == 1
        and layer.data_format == "channels_last"
        and layer.padding == "same"
    )


def _is_small_depthwise(layer: Any, x: Any) -> bool:
    """Return whether a layer is a depthwise convolution whose gradient `FastDepthwiseConvolution` computes faster."""
    return (
        type(layer) is keras.layers.DepthwiseConv2D
        and layer.dilation_rate == (1, 1)
        and layer.strides[0] == layer.strides[1]
        and layer.depth_multiplier == 1
        and layer.data_format == "channels_last"
        and None not in x.shape[1:3]
        and has_fast_gradient(x.shape[1:3], layer.kernel_size, layer.strides[0], layer.padding)
    )


def _is_plain_normalisation(layer: Any) -> bool:
    return (
        type(layer) is keras.layers.BatchNormalization
        and layer.axis in (-1, 3)
        and not layer.renorm
        and not layer.synchronized
        and layer.input_spec.ndim == 4
    )
