"""Read the paths of a sweep's settings, which are those of `--set`: `loss`, `arch.unet.width`, `training.epochs`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from ..errors import RequestError, nearest
from ..planning.options import SECTIONS, options_of
from ..registry.entries import Entry
from ..registry.kinds import PLAN_KINDS, Kind
from ..registry.loading import load
from ..registry.parameters import Parameter, parameters_of

# Settings that decide what the objective is; it must be the same for all trials.
_OBJECTIVE: Final = ("training.monitor",)


@dataclass(frozen=True)
class KindPath:
    """The components of a kind, as one composition: `loss`."""

    kind: Kind

    def __str__(self) -> str:
        return self.kind.option


@dataclass(frozen=True)
class SectionPath:
    """A value of a plan's section: `training.learning_rate`."""

    section: str
    parameter: Parameter

    def __str__(self) -> str:
        return f"{self.section}.{self.parameter.name}"


@dataclass(frozen=True)
class ComponentPath:
    """A parameter of a component: `arch.unet.width`.

    `name` is a name, a position counted from 1, or empty for whichever component is chosen: `arch.width`.
    """

    kind: Kind
    name: str
    key: str

    def __str__(self) -> str:
        return ".".join(filter(None, (self.kind.option, self.name, self.key)))

    def positions(self, components: Sequence[Entry]) -> list[int]:
        """Return the positions, counted from 1, of the components that have this parameter."""
        return [
            position
            for position, entry in enumerate(components, start=1)
            if self._means(position, entry) and self.key in parameters_of_entry(entry)
        ]

    def _means(self, position: int, entry: Entry) -> bool:
        if self.name.isdecimal():
            return int(self.name) == position
        return not self.name or entry.is_called(self.name)

    def check(self, choices: Iterable[Sequence[Entry]]) -> list[Parameter]:
        """Return the parameter in each component that has it, in any of the choices for the kind.

        Raises RequestError if no choice has such a component, or if none of these has the parameter.
        """
        choices = [*choices]
        named = {
            entry: parameters_of_entry(entry)
            for components in choices
            for position, entry in enumerate(components, start=1)
            if self._means(position, entry)
        }
        where = f"--vary {self}"
        if not named:
            known = dict.fromkeys(entry.name for components in choices for entry in components)
            what = f"at position {self.name}" if self.name.isdecimal() else f"'{self.name}'"
            hint = nearest(self.name, known, listing=f"The {self.kind.plural} of the sweep")
            raise RequestError(f"No trial has {self.kind.with_article} {what}.", where=where, hint=hint)
        found = [parameters[self.key] for parameters in named.values() if self.key in parameters]
        if not found:
            owners = " or ".join(f"'{entry.name}'" for entry in named)
            keys = dict.fromkeys(key for parameters in named.values() for key in parameters)
            raise RequestError(
                f"The {self.kind} {owners} has no parameter '{self.key}'.",
                where=where,
                hint=nearest(self.key, keys, listing="Its parameters"),
            )
        return found


Path = KindPath | SectionPath | ComponentPath


def parse_path(text: str) -> Path:
    """Parse the path of a setting; RequestError with the most similar path if there is none of this name."""
    where = f"--vary {text}"
    option, dot, rest = text.partition(".")
    if option in SECTIONS and dot:
        known = parameters_of(SECTIONS[option])
        if rest not in known:
            raise RequestError(f"There is no '{rest}' in {option}.", where=where, hint=nearest(rest, known))
        if text in _OBJECTIVE:
            raise RequestError(
                f"{text} cannot vary: the trials of a sweep have one objective.",
                where=where,
                hint="Use --monitor NAME.",
            )
        return SectionPath(option, known[rest])
    kind = next((kind for kind in PLAN_KINDS if option in (kind.option, kind.name)), None)
    if kind is None:
        settings = [f"{section}.{key}" for section, cls in SECTIONS.items() for key in parameters_of(cls)]
        words = [*(kind.option for kind in PLAN_KINDS), *settings]
        # A key without its section is the most frequent mistake.
        hint = next((f"Did you mean '{word}'?" for word in settings if word.endswith(f".{text}")), nearest(text, words))
        raise RequestError(f"There is no setting '{text}' to vary.", where=where, hint=hint)
    if not dot:
        return KindPath(kind)
    name, _, key = rest.rpartition(".")
    if not key or (not name and kind.many):
        raise RequestError(
            f"'{text}' names no component.",
            where=where,
            hint=f"The form is {kind.option}.NAME.KEY=VALUES, as a plan may have several {kind.plural}.",
        )
    return ComponentPath(kind, name, key)


def parameters_of_entry(entry: Entry) -> dict[str, Parameter]:
    """Return the parameters of a component, and the options that marsseg adds to its kind."""
    return {**parameters_of(load(entry)), **parameters_of(options_of(entry.kind))}


def decides_items(name: str) -> bool:
    """Return whether a setting, such as split.seed, decides which items are scored; `split.labelled` does not."""
    return name.partition(".")[0] in ("data", "split", "cleaning") and name != "split.labelled"
