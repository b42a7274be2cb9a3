"""Give the encoder of a new network the values that were learnt elsewhere."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Any, Final

import keras
import numpy as np

from ..components.specs import ENCODER_PREFIX
from ..errors import RequestError, some
from .encoder_layers import encoder_layers

# Published weights are for images of so many channels.
_CHANNELS: Final = 3


def values_hash(values: Mapping[str, np.ndarray]) -> str:
    """Return a hash of the names, shapes and values of weights, in float32. It does not depend on their order."""
    digest = hashlib.blake2b(digest_size=16)
    for path in sorted(values):
        value = np.ascontiguousarray(values[path], np.float32)
        digest.update(f"{path} {value.shape}\n".encode())
        digest.update(value.data)
    return digest.hexdigest()


def encoder_values(network: keras.Model) -> dict[str, np.ndarray]:
    """Return the values of an encoder's variables by their paths, without the prefix, as `Encoder.published` does."""
    return {_path(variable): keras.ops.convert_to_numpy(variable) for variable in _variables(network)}


def copy_to_encoder(values: Mapping[str, np.ndarray], network: keras.Model, source: str) -> str:
    """Give every variable of the network's encoder its value, and return a line about that.

    The paths in `values` may begin with the prefix of an encoder's layers, and may end in the position of a variable in
    its layer instead of its name. Values that the encoder has no variable for are ignored.

    Kernels for images of three channels are changed where the encoder's input has another number of them. For one
    channel, they are summed: the output is that for three equal channels. For C channels they are repeated in turn and
    scaled by 3 / C.

    Raises RequestError, and changes nothing, where a variable has no value or one of another shape. `source` is where
    the values are from.
    """
    values = {path.removeprefix(ENCODER_PREFIX): value for path, value in values.items()}
    assignments = []
    for layer, variables in groupby(_variables(network), lambda variable: _path(variable).rpartition("/")[0]):
        for position, variable in enumerate(variables):
            value = values.get(_path(variable), values.get(f"{layer}/{position}"))
            if value is None:
                raise _missing(variable, network, values, source)
            if _reads_images(variable, value):
                value = _for_channels(value, variable.shape[2])
            if value.shape != tuple(variable.shape):
                raise RequestError(
                    f"The weights do not fit the layer '{layer}' of the encoder: {_path(variable)} has the shape "
                    f"{value.shape} there, and {tuple(variable.shape)} here.",
                    where=source,
                    hint="Use weights of the same encoder with the same parameters and, of a run, the same channels.",
                )
            assignments.append((variable, value))
    for variable, value in assignments:
        variable.assign(value)
    count = sum(value.size for _, value in assignments)
    return f"The encoder begins with {count:,} weights of {source}"


def _variables(network: keras.Model) -> Iterator[Any]:
    for layer in encoder_layers(network):
        yield from layer.weights


def _path(variable: Any) -> str:
    return str(variable.path).removeprefix(ENCODER_PREFIX)


def _reads_images(variable: Any, value: np.ndarray) -> bool:
    """Return whether a value is the kernel of a convolution of three channels, where the variable's has others.

    This is a layer that reads the encoder's input: the others have as many channels whatever the input has.
    """
    shape = tuple(variable.shape)
    return (
        len(shape) == value.ndim == 4
        and value.shape[2] == _CHANNELS != shape[2]
        and shape[:2] + shape[3:] == value.shape[:2] + value.shape[3:]
    )


def _for_channels(kernel: np.ndarray, channels: int) -> np.ndarray:
    if channels == 1:
        changed = kernel.sum(axis=2, keepdims=True)
    else:
        changed = kernel[:, :, np.arange(channels) % _CHANNELS] * (_CHANNELS / channels)
    return np.asarray(changed, kernel.dtype)


def _missing(variable: Any, network: keras.Model, values: Mapping[str, np.ndarray], source: str) -> RequestError:
    layer, _, name = _path(variable).rpartition("/")
    layers = {path.rpartition("/")[0] for path in values} - {""}
    known = {_path(each).rpartition("/")[0] for each in _variables(network)}
    if known.isdisjoint(layers):
        there = f"Its layers are {some(sorted(layers))}." if layers else "No name there is that of a layer's variable."
        return RequestError(
            "None of the encoder's layers has weights there.",
            where=source,
            hint=f"{there} The encoder's begin with {layer}, as in {layer}/{name}.",
        )
    return RequestError(
        f"The layer '{layer}' of the encoder has no weights there: {layer}/{name} is missing.",
        where=source,
        hint="Every variable of the encoder needs a value.",
    )
