"""A component of a plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..components.specs import WeightingSpec
from ..registry import parameters
from ..registry.entries import Entry
from .options import AugmentationOptions, LossOptions, NoOptions, OptimizerOptions


@dataclass(frozen=True)
class ResolvedComponent:
    """A component of a plan: who provides it, how it is set, and where each value came from.

    `planned_version` is that of its distribution in the plan file it comes from, if it comes from one. `nested` are the
    components that a component made of components holds.
    """

    entry: Entry
    component: Any
    options: LossOptions | AugmentationOptions | OptimizerOptions | NoOptions
    origins: Mapping[str, str] = field(default_factory=dict)
    planned_version: str = field(default="", compare=False)
    nested: tuple[ResolvedComponent, ...] = ()

    @property
    def values(self) -> dict[str, parameters.Value]:
        return parameters.settings(self.component) | parameters.settings(self.options)

    def to_toml(self) -> dict[str, Any]:
        names = {"name": self.entry.name, "distribution": self.entry.distribution, "version": self.entry.version}
        return names | {key: parameters.to_toml(value) for key, value in self.values.items()}


def loss_names(losses: Sequence[ResolvedComponent]) -> tuple[str, ...]:
    """What the losses of a plan go by: their names, with a number where one stands more than once: dice, dice2."""
    names = [each.entry.name for each in losses]
    earlier = [names[:position].count(name) for position, name in enumerate(names)]
    return tuple(f"{name}{count + 1}" if count else name for name, count in zip(names, earlier, strict=True))


def weighting_spec(losses: Sequence[ResolvedComponent]) -> WeightingSpec:
    """The losses that a weighting joins: those with a weight above 0. The others are only logged."""
    weights = {
        name: each.options.weight
        for name, each in zip(loss_names(losses), losses, strict=True)
        if isinstance(each.options, LossOptions) and each.options.weight
    }
    return WeightingSpec(tuple(weights), tuple(weights.values()))
