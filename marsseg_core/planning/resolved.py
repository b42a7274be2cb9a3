"""The components of a plan, with their entries, options and origins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..components.specs import WeightingSpec
from ..registry import parameters
from ..registry.entries import Entry
from .options import LossOptions, Options


@dataclass(frozen=True)
class ResolvedComponent:
    """A component of a plan: who provides it, its parameters, and where each value came from.

    Attributes:
        entry: the catalog entry of the component
        component: the configured instance
        options: the options that marsseg adds to its kind
        origins: the origin of its name and of each parameter that is not a default
        planned_version: the version of its distribution in the plan file; empty if it comes from no plan file
        nested: the components that its own parameters name
        of_runs: those of the networks of the finished runs that it uses, of which only the classes are known
    """

    entry: Entry
    component: Any
    options: Options
    origins: Mapping[str, str] = field(default_factory=dict)
    planned_version: str = field(default="", compare=False)
    nested: tuple[ResolvedComponent, ...] = ()
    of_runs: tuple[ResolvedComponent, ...] = ()

    @property
    def with_inner(self) -> tuple[ResolvedComponent, ...]:
        """Return this component and all inside it, which are needed to load it."""
        return self, *self.nested, *self.of_runs

    @property
    def values(self) -> dict[str, parameters.Value]:
        """Return the values of its parameters and options, by name."""
        return parameters.settings(self.component) | parameters.settings(self.options)

    def to_toml(self) -> dict[str, Any]:
        """Return the component's table for a plan file."""
        names = {"name": self.entry.name, "distribution": self.entry.distribution, "version": self.entry.version}
        return names | {key: parameters.to_toml(value) for key, value in self.values.items()}


def loss_names(losses: Sequence[ResolvedComponent]) -> tuple[str, ...]:
    """Return a distinct name for each loss of a plan: a second `dice` is called `dice2`."""
    names = [each.entry.name for each in losses]
    earlier = [names[:position].count(name) for position, name in enumerate(names)]
    return tuple(f"{name}{count + 1}" if count else name for name, count in zip(names, earlier, strict=True))


def weighting_spec(losses: Sequence[ResolvedComponent]) -> WeightingSpec:
    """Return the names and weights of the losses that a weighting combines: those with a weight above 0.

    Losses with the weight 0 are only logged.
    """
    weights = {
        name: each.options.weight
        for name, each in zip(loss_names(losses), losses, strict=True)
        if isinstance(each.options, LossOptions) and each.options.weight
    }
    return WeightingSpec(tuple(weights), tuple(weights.values()))
