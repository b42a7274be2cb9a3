"""Find out whether a network computes the same function of a pixel's surroundings everywhere, in tiles of any size.

Such a network, trained on small tiles, can be built for larger ones. Networks with positions, attention, or averages
over the whole map (squeeze-and-excitation, the image pooling of ASPP, PSP, group normalisation) are not local: what
they compute for a pixel depends on the size of the tile.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import lcm
from typing import Any, Final

import keras
from keras import layers

from .graph import calls


@dataclass(frozen=True)
class Locality:
    """Describe a local network.

    Attributes:
        stride: the pixels from one cell of the coarsest map to the next; sizes and positions of tiles must be multiples
            of it, so that a pixel has the same place in its cell in each tile
        reach: an upper bound of the distance in pixels from an output to the inputs that influence it
    """

    stride: int
    reach: int


def locality(network: keras.Model) -> Locality | None:
    """Return the locality of a network, or None where the network is not known to be local.

    It is local if it is functional, has one input and one output, each of its layers is one of Keras' local layers or
    has an attribute `reach`, and each map is an exact fraction of the image: nothing is cropped, and nothing is padded
    except for a convolution or pooling that removes the padding again.
    """
    if isinstance(network, keras.Sequential) or not hasattr(network, "operations"):
        return None
    size = network.inputs[0].shape[1:3]
    if len(network.outputs) != 1 or len(network.inputs) != 1 or None in size:
        return None
    recorded = calls(network)
    strides: dict[int, int] = {}  # of each tensor, by its id; the image is the tensor that no call returns
    reaches: dict[int, int] = {}
    padded: set[int] = set()  # the ids of tensors that are no fractions of the image
    for call in recorded:
        cells = _reach(call.layer)
        stride_in = {strides.get(id(tensor), 1) for tensor in call.inputs}
        if cells is None or len(stride_in) != 1 or len(call.outputs) != 1:
            return None
        was_padded = any(id(tensor) in padded for tensor in call.inputs)
        if isinstance(call.layer, layers.ZeroPadding2D):
            stride = None if was_padded else min(stride_in)
            padded.add(id(call.outputs[0]))
        else:
            stride = _stride(size, call.outputs[0].shape)
        if stride is None or (was_padded and stride != min(stride_in) * _step(call.layer)):
            return None
        strides[id(call.outputs[0])] = stride
        before = max(reaches.get(id(tensor), 0) for tensor in call.inputs)
        reaches[id(call.outputs[0])] = before + cells * stride_in.pop()
    if not recorded or strides[id(recorded[-1].outputs[0])] != 1:
        return None
    return Locality(stride=lcm(*strides.values()), reach=max(reaches.values()))


def resized(network: keras.Model, height: int | None, width: int | None) -> keras.Model:
    """Return a network of the same layers, with the same variables, for images of another size. It must be local.

    With None, the size is free: any multiple of the network's stride.
    """
    first = network.inputs[0]
    images = keras.Input((height, width, first.shape[-1]), dtype=first.dtype, name=first.name)
    return keras.models.clone_model(network, clone_function=lambda layer: layer, input_tensors=images)


def _step(layer: Any) -> int:
    """Return the cells of its input from one cell of a layer's output to the next; 0 where it has no strides."""
    step: int = max(keras.tree.flatten(getattr(layer, "strides", 0)))
    return step


def _stride(size: tuple[int, int], shape: tuple[int | None, ...]) -> int | None:
    """Return how many times smaller than the image a map is; None where this is not one whole number on both axes."""
    if len(shape) != 4 or not shape[1] or not shape[2]:
        return None
    down, across = divmod(size[0], shape[1]), divmod(size[1], shape[2])
    return down[0] if down == across and down[1] == 0 else None


def _reach(layer: Any) -> int | None:
    """Return the distance in cells from an output of a layer to the inputs that influence it; None if not local."""
    own: int | None = getattr(layer, "reach", None)
    if own is not None:
        return own
    rule = _REACHES.get(type(layer))
    # A function of the user's may look at the whole map.
    activation = getattr(layer, "activation", None)
    if rule is None or not getattr(activation, "__module__", "keras.").startswith("keras."):
        return None
    return rule(layer)


def _convolution(layer: Any) -> int | None:
    size = max((kernel - 1) * dilation for kernel, dilation in zip(layer.kernel_size, layer.dilation_rate, strict=True))
    return size if layer.data_format == "channels_last" else None


def _pooling(layer: Any) -> int | None:
    return max(layer.pool_size) - 1 if layer.data_format == "channels_last" else None


def _padding(layer: Any) -> int | None:
    return 0 if layer.data_format == "channels_last" else None


def _upsampling(layer: Any) -> int | None:
    if layer.data_format != "channels_last":
        return None
    return {"nearest": 0, "bilinear": 1}.get(layer.interpolation)


def _along_channels(layer: Any) -> int | None:
    return 0 if layer.axis in (-1, 3, [-1], [3], (-1,), (3,)) else None


def _single_cells(layer: Any) -> int:
    return 0


_REACHES: Final[Mapping[type, Callable[[Any], int | None]]] = {
    layers.Conv2D: _convolution,
    layers.Conv2DTranspose: _convolution,
    layers.DepthwiseConv2D: _convolution,
    layers.SeparableConv2D: _convolution,
    layers.MaxPooling2D: _pooling,
    layers.AveragePooling2D: _pooling,
    layers.UpSampling2D: _upsampling,
    layers.ZeroPadding2D: _padding,
    layers.BatchNormalization: _along_channels,
    layers.Concatenate: _along_channels,
    layers.LayerNormalization: _along_channels,
    layers.Softmax: _along_channels,
    **dict.fromkeys(
        (
            layers.Activation,
            layers.Add,
            layers.Average,
            layers.Dense,
            layers.Dropout,
            layers.ELU,
            layers.Identity,
            layers.LeakyReLU,
            layers.Maximum,
            layers.Minimum,
            layers.Multiply,
            layers.ReLU,
            layers.Rescaling,
            layers.SpatialDropout2D,
            layers.Subtract,
        ),
        _single_cells,
    ),
}
