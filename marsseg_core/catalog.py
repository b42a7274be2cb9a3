"""Every component installed, known from package metadata alone.

Names come from the entry points of the installed distributions, summaries from their source text. No plugin is
imported before one of its components is asked for, so a broken plugin hurts only its own names.
"""

from __future__ import annotations

import dataclasses
import importlib
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.metadata import Distribution, EntryPoint, entry_points
from typing import Any, Final

from .errors import PluginError, RequestError, nearest
from .kinds import KINDS, RECIPE, Kind

NAME_PATTERN: Final = re.compile(r"[a-z0-9][a-z0-9+_.-]*")

OK: Final = "ok"
CONFLICT: Final = "conflict"
INCOMPATIBLE: Final = "incompatible"
INVALID: Final = "invalid"

DISTRIBUTION: Final = "marsseg"


@dataclass(frozen=True)
class Entry:
    """One component (or recipe) of one distribution. `target` is "module:attribute" (a recipe's is a module path)."""

    kind: Kind
    name: str
    target: str
    distribution: str
    version: str
    aliases: tuple[str, ...] = ()
    status: str = OK
    reason: str = ""

    @property
    def qualified_name(self) -> str:
        """The name that picks this one also where two distributions claim the same."""
        return f"{self.distribution}/{self.name}"

    @property
    def usable(self) -> bool:
        """Whether it can be chosen: a conflict is resolved by the distribution's name, anything else is final."""
        return self.status in (OK, CONFLICT)

    @property
    def module(self) -> str:
        return self.target.partition(":")[0]

    @property
    def attribute(self) -> str:
        return self.target.partition(":")[2]

    @property
    def provider(self) -> str:
        return f"{self.distribution} {self.version}"

    @property
    def label(self) -> str:
        """How error texts name it."""
        return f"{self.kind} '{self.name}' of {self.provider}"


class Catalog:
    """The entries of what is installed, by kind and name."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self.entries = tuple(sorted(entries, key=lambda e: (_kind_order(e.kind), e.name, e.distribution)))

    def of_kind(self, kind: Kind) -> tuple[Entry, ...]:
        return tuple(entry for entry in self.entries if entry.kind == kind)

    def names(self, kind: Kind) -> list[str]:
        """The names of a kind that can be used, without aliases."""
        return sorted({entry.name for entry in self.of_kind(kind) if entry.status == OK})

    def named(self, text: str, kinds: Iterable[Kind]) -> list[Entry]:
        """All entries of these kinds that `text` may mean: a name, an alias or distribution/name."""
        distribution, slash, name = text.rpartition("/")
        return [
            entry
            for entry in self.entries
            if entry.kind in kinds
            and name in (entry.name, *entry.aliases)
            and (not slash or entry.distribution == _normal(distribution))
        ]

    def find(self, kind: Kind, text: str, *, where: str | None = None) -> Entry:
        """The one entry that `text` means; RequestError says what is wrong with the name and what to use."""
        found = self.named(text, [kind])
        # One that cannot be used does not stand in the way of one that can.
        found = [entry for entry in found if entry.usable] or found
        if not found:
            raise RequestError(f"There is no {kind} '{text}'.", where=where, hint=self._hint(kind, text))
        if len(found) > 1:
            choices = " or ".join(entry.qualified_name for entry in found)
            providers = ", ".join(entry.provider for entry in found)
            raise RequestError(
                f"Two distributions provide the {kind} '{text}': {providers}.", where=where, hint=f"Use {choices}."
            )
        entry = found[0]
        if not entry.usable:
            raise RequestError(f"The {entry.label} cannot be used: {entry.reason}.", where=where)
        return entry

    def _hint(self, kind: Kind, text: str) -> str:
        elsewhere = self.named(text, [other for other in (*KINDS, RECIPE) if other != kind])
        if elsewhere:
            other = elsewhere[0].kind
            return f"'{text}' is {other.with_article}: it goes with --{other.option}."
        names = self.names(kind)
        aliases = [alias for entry in self.of_kind(kind) for alias in entry.aliases]
        hint = nearest(text, names + aliases)
        return hint if hint.startswith("Did") else nearest(text, names, listing=f"Installed {kind} names")


def _kind_order(kind: Kind) -> int:
    return (*KINDS, RECIPE).index(kind)


@cache
def installed() -> Catalog:
    """The catalog of this environment. Read once for a process."""
    # One scan of the path for all groups; `select` is what Python 3.11 and later have in common.
    points = entry_points()
    return Catalog(entries_from(p for kind in (*KINDS, RECIPE) for p in points.select(group=kind.group)))


def entries_from(points: Iterable[EntryPoint]) -> list[Entry]:
    """Entry points → entries, with their status. Imports nothing."""
    points = list(points)
    entries: list[Entry] = []
    for kind in (*KINDS, RECIPE):
        by_target: dict[tuple[str, str], list[EntryPoint]] = defaultdict(list)
        for point in points:
            if point.group == kind.group:
                by_target[_facts(point.dist).name, point.value].append(point)
        entries += _with_conflicts([_entry(kind, same) for same in by_target.values()])
    return entries


def _entry(kind: Kind, points: list[EntryPoint]) -> Entry:
    """One entry for all the names that a distribution gives to one object."""
    facts = _facts(points[0].dist)
    target = points[0].value
    module_name = target.partition(":")[0].rpartition(".")[2]
    # The name proper is its module's, else the one that is a plain word: `unet3plus` before `unet3+`.
    names = sorted({p.name for p in points}, key=lambda name: (name != module_name, not name.isidentifier(), name))
    status, reason = OK, ""
    if wrong := [name for name in names if not NAME_PATTERN.fullmatch(name)]:
        status = INVALID
        reason = f"'{wrong[0]}' is no valid name (lower case letters, digits and + _ . - only)"
    elif facts.unmet:
        status, reason = INCOMPATIBLE, facts.unmet
    return Entry(kind, names[0], target, facts.name, facts.version, tuple(names[1:]), status, reason)


def _with_conflicts(entries: list[Entry]) -> list[Entry]:
    """Mark the usable entries of one kind whose names another distribution claims too."""
    owners: dict[str, set[str]] = defaultdict(set)
    for entry in entries:
        if entry.status == OK:
            for name in (entry.name, *entry.aliases):
                owners[name].add(entry.distribution)
    result = []
    for entry in entries:
        rivals = {d for name in (entry.name, *entry.aliases) for d in owners[name]} - {entry.distribution}
        if entry.status == OK and rivals:
            reason = f"also provided by {', '.join(sorted(rivals))}; use {entry.qualified_name}"
            entry = dataclasses.replace(entry, status=CONFLICT, reason=reason)
        result.append(entry)
    return result


@dataclass(frozen=True)
class _DistributionFacts:
    name: str
    version: str
    unmet: str  # why it does not go with this version of marsseg, or nothing


_NO_DISTRIBUTION: Final = _DistributionFacts("unknown", "unknown", "")
_facts_by_distribution: dict[int, tuple[Distribution, _DistributionFacts]] = {}


def _facts(distribution: Distribution | None) -> _DistributionFacts:
    # A distribution parses its metadata on each access, and all its entry points share one object. The object is
    # kept beside its facts so that its id is not given to another.
    if distribution is None:
        return _NO_DISTRIBUTION
    if id(distribution) not in _facts_by_distribution:
        metadata: Any = distribution.metadata
        requires = metadata.get_all("Requires-Dist") or []
        name, version = metadata["Name"] or "unknown", metadata["Version"] or "unknown"
        facts = _DistributionFacts(_normal(name), version, _unmet_requirement(requires))
        _facts_by_distribution[id(distribution)] = (distribution, facts)
    return _facts_by_distribution[id(distribution)][1]


def _unmet_requirement(requires: Iterable[str]) -> str:
    relevant = [text for text in requires if re.match(rf"{DISTRIBUTION}(?![A-Za-z0-9._-])", text, re.IGNORECASE)]
    if not relevant:
        return ""
    from packaging.requirements import InvalidRequirement, Requirement

    from . import version

    for text in relevant:
        try:
            requirement = Requirement(text)
        except InvalidRequirement:
            return f"its requirement '{text}' cannot be read"
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        if not requirement.specifier.contains(version(), prereleases=True):
            return f"it requires {requirement}, this is {DISTRIBUTION} {version()}"
    return ""


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def interface_of(kind: Kind) -> type[Any]:
    """The class that the components of a kind derive from."""
    from . import components  # not at the top: `marsseg list` has no use for it

    interfaces = (
        components.Architecture,
        components.Bottleneck,
        components.Loss,
        components.Weighting,
        components.Augmentation,
        components.Schedule,
        components.Dataset,
    )
    return next(interface for interface in interfaces if interface.kind == kind)


@cache
def load(entry: Entry) -> type[Any]:
    """Import one component's module and give its class.

    Raises PluginError naming the plugin, its distribution and the cause, whatever its module does.
    """
    try:
        found = getattr(importlib.import_module(entry.module), entry.attribute)
    except KeyboardInterrupt:
        raise
    except BaseException as cause:
        raise PluginError(
            f"The {entry.label} cannot be loaded: {type(cause).__name__}: {cause}",
            where=entry.target,
            hint="Everything else goes on working; `marsseg --traceback …` shows where it failed.",
        ) from cause
    interface = interface_of(entry.kind)
    if not (isinstance(found, type) and issubclass(found, interface)):
        problem = f"it is not a subclass of {interface.__name__}"
    elif not dataclasses.is_dataclass(found):
        problem = "it is not a dataclass"
    elif missing := sorted(getattr(found, "__abstractmethods__", ())):
        problem = f"it does not define {', '.join(missing)}"
    else:
        return found
    raise PluginError(f"The {entry.label} cannot be used: {problem}.", where=entry.target)
