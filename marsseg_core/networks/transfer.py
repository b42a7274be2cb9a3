"""Copy weights from one network to another, for layers whose names and shapes match."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any, Final

import keras

from ..errors import RequestError, counted, some
from .frozen import changing_weights

# A message names at most this many layers.
_MAX_NAMES: Final = 6


@dataclass(frozen=True)
class Transfer:
    """The result of copying weights from another network.

    Attributes:
        source: the run folder of the other network
        copied: the layers whose weights were copied
        mismatches: the layers that keep their initial weights, each with the reason
        unused: the layers of the other network that this network does not have
        weights: the number of copied weights
        total: the number of all weights of this network
    """

    source: str
    copied: tuple[str, ...]
    mismatches: Mapping[str, str]
    unused: tuple[str, ...]
    weights: int
    total: int

    def __str__(self) -> str:
        layers = f"{len(self.copied)} of {len(self.copied) + len(self.mismatches)} layers"
        return f"{self.weights:,} of {self.total:,} weights, in {layers}, were copied from {self.source}"

    def mismatch_text(self) -> str:
        """Return one line that names the layers that did not match, with the reasons; "" if all layers matched."""
        kept = [f"{name} ({why})" for name, why in self.mismatches.items()]
        lines = []
        if kept:
            count = counted(len(kept), "layer keeps its", "layers keep their")
            lines.append(f"{count} initial weights: {some(kept, _MAX_NAMES)}.")
        if self.unused:
            count = counted(len(self.unused), "layer of the other network is", "layers of the other network are")
            lines.append(f"{count} not in this network: {some(self.unused, _MAX_NAMES)}.")
        return " ".join(lines)


def copy_weights(other: keras.Model, network: keras.Model, source: str) -> Transfer:
    """Copy the weights of each layer of `other` that matches a layer of `network` in its name and its weights' shapes.

    `source` is the run folder of `other`, for messages. Raises RequestError where no layer matches.
    """
    theirs, ours = _weights_by_layer(other), _weights_by_layer(network)
    mismatches = {}
    for layer, variables in ours.items():
        if why := _mismatch(_shapes(theirs.get(layer, [])), _shapes(variables)):
            mismatches[layer] = why
    copied = tuple(layer for layer in ours if layer not in mismatches)
    if not copied:
        raise RequestError(
            f"No weights can be copied: none of that network's {len(theirs)} layers matches one of this network in "
            "name and shapes.",
            where=source,
            hint="Start from a run with the same architecture and width.",
        )
    for layer in copied:
        for variable, value in zip(ours[layer], theirs[layer], strict=True):
            variable.assign(value)
    return Transfer(
        source,
        copied,
        mismatches,
        unused=tuple(layer for layer in theirs if layer not in ours),
        weights=sum(prod(shape) for layer in copied for _, shape in _shapes(ours[layer])),
        total=sum(prod(shape) for variables in ours.values() for _, shape in _shapes(variables)),
    )


def _weights_by_layer(network: keras.Model) -> dict[str, list[Any]]:
    """Return the variables of each layer (also moving statistics) by the layer's path; inner layers are separate.

    The weights of frozen networks are left out: they are part of no training.
    """
    by_layer: dict[str, list[Any]] = {}
    for variable in changing_weights(network):
        by_layer.setdefault(variable.path.rpartition("/")[0], []).append(variable)
    return by_layer


def _shapes(variables: list[Any]) -> list[tuple[str, tuple[int, ...]]]:
    return [(variable.path.rpartition("/")[2], tuple(variable.shape)) for variable in variables]


def _mismatch(theirs: list[tuple[str, tuple[int, ...]]], ours: list[tuple[str, tuple[int, ...]]]) -> str:
    """Return why the weights of a layer cannot be copied, or "" where they can."""
    if not theirs:
        return "not in that network"
    if [name for name, _ in theirs] != [name for name, _ in ours]:
        return f"{_names(theirs)} there, {_names(ours)} here"
    for (name, there), (_, here) in zip(theirs, ours, strict=True):
        if there != here:
            return f"{name} {_size(there)} there, {_size(here)} here"
    return ""


def _names(weights: list[tuple[str, tuple[int, ...]]]) -> str:
    return "+".join(name for name, _ in weights)


def _size(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape)) or "1"
