"""Starting from another run's weights: they are taken over layer by layer, where names and shapes agree."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any, Final

import keras

from ..errors import RequestError

_NAMED: Final = 6


@dataclass(frozen=True)
class Transfer:
    """What one network took over from another.

    `taken` names the layers whose weights were copied, `misfits` those that keep the weights drawn for them, each with
    the reason; `unused` the layers of the other network that have no counterpart here. `weights` of `total` numbers
    were copied.
    """

    source: str
    taken: tuple[str, ...]
    misfits: Mapping[str, str]
    unused: tuple[str, ...]
    weights: int
    total: int

    def __str__(self) -> str:
        layers = f"{len(self.taken)} of {len(self.taken) + len(self.misfits)} layers"
        return f"{self.weights:,} of {self.total:,} weights, in {layers}, are those of {self.source}"

    def misfit_text(self) -> str:
        """The layers that did not fit and why, in a line; empty where all did."""
        lines = [_listed("keep the weights drawn for them", [f"{n} ({why})" for n, why in self.misfits.items()])]
        lines.append(_listed("have no place in this network", self.unused))
        return " ".join(filter(None, lines))


def _listed(what: str, names: Any) -> str:
    if not names:
        return ""
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{len(names)} layers {what}: {', '.join(list(names)[:_NAMED])}{more}."


def copy_weights(other: keras.Model, network: keras.Model, source: str) -> Transfer:
    """Copy the weights of each layer of `other` that `network` has too, with the same weights of the same shapes.

    Raises RequestError where there is no such layer.
    """
    theirs, ours = _weights_by_layer(other), _weights_by_layer(network)
    misfits = {}
    for layer, variables in ours.items():
        if why := _misfit(_shapes(theirs.get(layer, [])), _shapes(variables)):
            misfits[layer] = why
    taken = tuple(layer for layer in ours if layer not in misfits)
    if not taken:
        raise RequestError(
            f"Nothing of that network fits: none of its {len(theirs)} layers has a namesake with weights of its shape.",
            where=source,
            hint="A run starts from one of the same architecture and width.",
        )
    for layer in taken:
        for variable, value in zip(ours[layer], theirs[layer], strict=True):
            variable.assign(value)
    return Transfer(
        source,
        taken,
        misfits,
        unused=tuple(layer for layer in theirs if layer not in ours),
        weights=sum(prod(shape) for layer in taken for _, shape in _shapes(ours[layer])),
        total=sum(prod(shape) for variables in ours.values() for _, shape in _shapes(variables)),
    )


def _weights_by_layer(network: keras.Model) -> dict[str, list[Any]]:
    """The variables of each layer, moving statistics too, by its path; a layer inside a layer has one of its own."""
    found: dict[str, list[Any]] = {}
    for variable in network.weights:
        found.setdefault(variable.path.rpartition("/")[0], []).append(variable)
    return found


def _shapes(variables: list[Any]) -> list[tuple[str, tuple[int, ...]]]:
    return [(variable.path.rpartition("/")[2], tuple(variable.shape)) for variable in variables]


def _misfit(theirs: list[tuple[str, tuple[int, ...]]], ours: list[tuple[str, tuple[int, ...]]]) -> str:
    """Why the weights of a layer cannot be taken over; empty where they can."""
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
