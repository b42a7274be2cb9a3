"""The plan: the complete, resolved description of one run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from . import composition, kinds, parameters
from .catalog import Catalog, Entry, failing_place, installed
from .components import WeightingSpec
from .errors import MarssegError, PluginError, RequestError
from .kinds import KINDS, Kind
from .local_plugins import KEY as PLUGIN_KEY, LocalPlugin
from .options import (
    SECTIONS,
    AugmentationOptions,
    CleaningOptions,
    LossOptions,
    NoOptions,
    SplitOptions,
    TrainingOptions,
)
from .runs import PLUGINS_FOLDER
from .sources import own_code

if TYPE_CHECKING:
    from .data.scaling import Scaling

NAME_KEYS: Final = ("name", "distribution", "version")

# What a network is built of.
NETWORK_KINDS: Final = (kinds.ARCHITECTURE, kinds.BOTTLENECK)


@dataclass(frozen=True)
class Chosen:
    """A component of a plan: who provides it, how it is set, and where each value came from.

    `planned_version` is that of its distribution in the plan file it comes from, if it comes from one. `parts` are the
    components that a component made of components holds.
    """

    entry: Entry
    component: Any
    options: LossOptions | AugmentationOptions | NoOptions
    origins: Mapping[str, str] = field(default_factory=dict)
    planned_version: str = field(default="", compare=False)
    parts: tuple[Chosen, ...] = ()

    @property
    def values(self) -> dict[str, parameters.Value]:
        return parameters.settings(self.component) | parameters.settings(self.options)

    def to_toml(self) -> dict[str, Any]:
        names = {"name": self.entry.name, "distribution": self.entry.distribution, "version": self.entry.version}
        return names | {key: parameters.to_toml(value) for key, value in self.values.items()}


def calling(chosen: Chosen, function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a component's code; what it raises becomes a PluginError that names the component."""
    try:
        return function(*arguments)
    except MarssegError:
        raise
    except (Exception, SystemExit) as cause:
        place = failing_place(own_code(chosen.entry.module), cause)
        raise PluginError(
            f"The {chosen.entry.label} failed: {type(cause).__name__}: {cause}",
            where=", ".join(filter(None, (place, repr(chosen.component)))),
            hint="`marsseg --traceback …` shows how it came to that.",
        ) from cause


def built(chosen: Chosen, *arguments: Any) -> Any:
    """What a component builds; what `fitting` says of its failures."""
    return fitting(chosen, chosen.component.build, *arguments)


def fitting(chosen: Chosen, function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a component's code. A ValueError means that its parameters do not fit here, any other failure is its own."""
    try:
        return calling(chosen, function, *arguments)
    except PluginError as error:
        if isinstance(error.__cause__, ValueError):
            raise RequestError(
                f"The {chosen.entry.label} does not fit: {error.__cause__}", where=error.where
            ) from error
        raise


def loss_names(losses: Sequence[Chosen]) -> tuple[str, ...]:
    """What the losses of a plan go by: their names, with a number where one stands more than once: dice, dice2."""
    names = [each.entry.name for each in losses]
    earlier = [names[:position].count(name) for position, name in enumerate(names)]
    return tuple(f"{name}{count + 1}" if count else name for name, count in zip(names, earlier, strict=True))


def weighting_spec(losses: Sequence[Chosen]) -> WeightingSpec:
    """The losses that a weighting joins: those with a weight above 0. The others are only logged."""
    weights = {
        name: each.options.weight
        for name, each in zip(loss_names(losses), losses, strict=True)
        if isinstance(each.options, LossOptions) and each.options.weight
    }
    return WeightingSpec(tuple(weights), tuple(weights.values()))


def nested(kind: Kind, text: str, catalog: Catalog, owner: Entry) -> tuple[Chosen, ...]:
    """The components that a composition text of another component asks for: of its own distribution where in doubt."""
    found = composition.resolved(kind, text, catalog, owner.distribution)
    return tuple(Chosen(entry, component, NoOptions()) for entry, component in found)


@dataclass(frozen=True)
class Plan:
    """Everything a run is made of. `chosen` holds each kind's components in order.

    `plugins` are the files of components that nobody packaged; they are in `catalog`, which has all there is to choose
    from. With `trust` the files that another run keeps a copy of are executed too, where this one starts from its
    weights.
    """

    chosen: Mapping[Kind, tuple[Chosen, ...]]
    cleaning: CleaningOptions
    split: SplitOptions
    training: TrainingOptions
    section_origins: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    plugins: tuple[LocalPlugin, ...] = ()
    catalog: Catalog = field(default_factory=installed, repr=False, compare=False)
    trust: bool = field(default=False, repr=False, compare=False)

    def components(self, kind: Kind) -> tuple[Any, ...]:
        return tuple(chosen.component for chosen in self.chosen[kind])

    def one(self, kind: Kind) -> Any:
        """The component of a kind of which there is exactly one."""
        return self.chosen[kind][0].component

    @property
    def name(self) -> str:
        """What its run folder is called: the name of the architecture."""
        return self.chosen[kinds.ARCHITECTURE][0].entry.name

    @property
    def distributions(self) -> dict[str, str]:
        """The distributions that the run needs, with their versions."""
        all_chosen = [chosen for several in self.chosen.values() for chosen in several]
        entries = [each.entry for chosen in all_chosen for each in (chosen, *chosen.parts)]
        return {entry.distribution: entry.version for entry in sorted(entries, key=lambda entry: entry.distribution)}

    @property
    def differences(self) -> tuple[str, ...]:
        """A line for each distribution of which the plan file names another version than is there."""
        found = {
            f"The plan was made with {chosen.entry.distribution} {chosen.planned_version}; "
            f"this is {chosen.entry.provider}."
            for several in self.chosen.values()
            for chosen in several
            if chosen.planned_version not in ("", chosen.entry.version)
        }
        return tuple(sorted(found))

    @property
    def objective_moves(self) -> bool:
        """Whether the weighting moves what several losses count."""
        weighting = self.chosen[kinds.WEIGHTING][0].component
        return bool(weighting.moves) and len(weighting_spec(self.chosen[kinds.LOSS]).losses) > 1

    @property
    def remarks(self) -> tuple[str, ...]:
        """A line for each part of the plan that changes nothing."""
        names = weighting_spec(self.chosen[kinds.LOSS]).losses
        entry = self.chosen[kinds.WEIGHTING][0].entry
        if len(names) > 1 or not self.one(kinds.WEIGHTING).moves:
            return ()
        return (f"The weighting '{entry.name}' has one loss, {names[0]}: there is nothing to weigh.",)

    def rows(self) -> list[tuple[str, str, str]]:
        """(setting, value, origin) for every value of the plan."""
        rows = [(PLUGIN_KEY, f"{plugin.name} {plugin.hash[:12]}", plugin.origin) for plugin in self.plugins]
        for kind in KINDS:
            for position, chosen in enumerate(self.chosen[kind], start=1):
                twice = sum(other.entry == chosen.entry for other in self.chosen[kind]) > 1
                path = f"{kind.option}.{position if twice else chosen.entry.name}"
                rows.append((kind.option, chosen.entry.name, chosen.origins["name"]))
                for key, value in chosen.values.items():
                    rows.append((f"{path}.{key}", parameters.to_text(value), chosen.origins.get(key, "default")))
            if not self.chosen[kind]:
                rows.append((kind.option, parameters.NONE_WORD, self.section_origins[kind.option]["name"]))
        for section in SECTIONS:
            for key, value in parameters.settings(getattr(self, section)).items():
                origin = self.section_origins.get(section, {}).get(key, "default")
                rows.append((f"{section}.{key}", parameters.to_text(value), origin))
        return rows

    def reading(self, scaling: Scaling | None) -> Plan:
        """The plan with its data read as a run's was, where the plan does not say how to read it."""
        if scaling is None:
            return self
        chosen = self.chosen[kinds.DATASET][0]
        component = calling(chosen, chosen.component.reading, scaling)
        return replace(self, chosen={**self.chosen, kinds.DATASET: (replace(chosen, component=component),)})

    def to_toml(self) -> str:
        """The whole plan as TOML text, which `resolve` reads back to an equal plan where the plugins lie beside it."""
        import tomli_w

        document: dict[str, Any] = {}
        if self.plugins:
            document[PLUGIN_KEY] = [plugin.to_toml(PLUGINS_FOLDER) for plugin in self.plugins]
        for kind in KINDS:
            tables = [chosen.to_toml() for chosen in self.chosen[kind]]
            document[kind.option] = tables if kind.many else tables[0]
        for section in SECTIONS:
            values = parameters.settings(getattr(self, section))
            document[section] = {key: parameters.to_toml(value) for key, value in values.items()}
        return tomli_w.dumps(document)
