"""Entry points of the installed distributions, and their status. Nothing is imported."""

from __future__ import annotations

import dataclasses
import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from importlib.metadata import Distribution, EntryPoint
from typing import Any, Final

from ..errors import RequestError, nearest
from .disabled import DisabledName
from .distribution import DISTRIBUTION, normal, version
from .entries import CONFLICT, DISABLED, INCOMPATIBLE, INVALID, NAME_PATTERN, OK, Entry
from .kinds import ALL_KINDS, HOOKED_KINDS, RECIPE, Kind
from .parameters import NONE_WORD

_PREFIX: Final = f"{DISTRIBUTION}."


@cache
def scan() -> tuple[tuple[EntryPoint, ...], tuple[str, ...]]:
    """marsseg's entry points of each distribution, and a line for each whose metadata is wrong."""
    points: list[EntryPoint] = []
    groups = [kind.group for kind in ALL_KINDS]
    problems, seen = [], set()
    for distribution in metadata.distributions():
        try:
            own = _own_points(distribution)
            name = _facts(distribution).name if own else ""
            if own and name not in seen:
                seen.add(name)
                # Of one that is twice on the path, Python takes the first.
                own = own if name == _UNKNOWN else _own_points(metadata.distribution(name))
                points += [point for point in own if point.group in groups]
                problems += [
                    f"{name} names things in the entry-point group '{group}', which is none of marsseg's. "
                    f"{nearest(group, groups)}"
                    for group in sorted({point.group for point in own} - {*groups})
                ]
        except Exception as cause:
            folder = distribution.locate_file("")
            problems.append(f"A distribution in {folder} cannot be read: {type(cause).__name__}: {cause}")
    return tuple(points), tuple(sorted(problems))


def _own_points(distribution: Distribution) -> list[EntryPoint]:
    return [point for point in distribution.entry_points if point.group.startswith(_PREFIX)]


def entries_from(points: Iterable[EntryPoint], off: Iterable[DisabledName] = ()) -> list[Entry]:
    """Entry points → entries, with their status. Imports nothing. RequestError where a switch means nothing."""
    points = list(points)
    entries: list[Entry] = []
    for kind in ALL_KINDS:
        by_target: dict[tuple[str, str], list[EntryPoint]] = defaultdict(list)
        for point in points:
            if point.group == kind.group:
                by_target[_facts(point.dist).name, point.value].append(point)
        entries += [_entry(kind, same) for same in by_target.values()]
    return with_conflicts(_without(entries, off))


def _without(entries: list[Entry], off: Iterable[DisabledName]) -> list[Entry]:
    """Mark what is switched off. A recipe is data, so that only its whole distribution is."""
    for switch in off:
        meant = [
            position
            for position, entry in enumerate(entries)
            if normal(switch.word) == normal(entry.distribution)
            or (entry.kind != RECIPE and entry.is_called(switch.word))
        ]
        if not meant:
            known = {entry.distribution for entry in entries}
            known |= {name for entry in entries if entry.kind != RECIPE for name in (entry.name, *entry.aliases)}
            raise RequestError(
                f"'{switch.word}' is to be disabled, and nothing installed is called that.",
                where=switch.origin,
                hint=nearest(switch.word, known, listing="There are"),
            )
        for position in meant:
            if entries[position].status == OK:
                reason = f"by {switch.origin}"
                entries[position] = dataclasses.replace(entries[position], status=DISABLED, reason=reason)
    return entries


def _entry(kind: Kind, points: list[EntryPoint]) -> Entry:
    """One entry for all the names that a distribution gives to one object."""
    facts = _facts(points[0].dist)
    target = points[0].value.partition("[")[0].strip()  # without extras, which nobody asks for here
    module_name = target.partition(":")[0].rpartition(".")[2]
    # The name proper is its module's, else the one that is a plain word: `unet3plus` before `unet3+`.
    names = sorted({p.name for p in points}, key=lambda name: (name != module_name, not name.isidentifier(), name))
    status, reason = OK, ""
    if wrong := [name for name in names if not NAME_PATTERN.fullmatch(name)]:
        status = INVALID
        reason = f"'{wrong[0]}' is no valid name (lower case letters, digits and + _ . - only)"
    elif kind not in HOOKED_KINDS and (taken := [name for name in names if name == NONE_WORD or name.isdecimal()]):
        status = INVALID
        reason = f"'{taken[0]}' is no name: '{NONE_WORD}' stands for nothing, a number for a position"
    elif facts.unmet:
        status, reason = INCOMPATIBLE, facts.unmet
    return Entry(kind, names[0], target, facts.name, facts.version, tuple(names[1:]), status, reason)


def with_conflicts(entries: Iterable[Entry]) -> list[Entry]:
    """Mark the usable entries of one kind whose names another distribution claims too.

    A name that one distribution gives to two things is invalid. What has hooks is all called, so none is a rival.
    """
    entries = [dataclasses.replace(e, status=OK, reason="") if e.status == CONFLICT else e for e in entries]
    given = Counter((e.kind, e.distribution, name) for e in entries for name in (e.name, *e.aliases))
    owners: dict[tuple[Kind, str], set[str]] = defaultdict(set)
    for position, entry in enumerate(entries):
        names = (entry.name, *entry.aliases)
        if twice := [name for name in names if given[entry.kind, entry.distribution, name] > 1]:
            reason = f"{entry.distribution} gives the name '{twice[0]}' to two things"
            entries[position] = dataclasses.replace(entry, status=INVALID, reason=reason)
        elif entry.status == OK and entry.kind not in HOOKED_KINDS:
            for name in names:
                owners[entry.kind, name].add(entry.distribution)
    for position, entry in enumerate(entries):
        rivals = {d for name in (entry.name, *entry.aliases) for d in owners[entry.kind, name]} - {entry.distribution}
        if entry.status == OK and rivals:
            reason = f"also provided by {', '.join(sorted(rivals))}; use {entry.qualified_name}"
            entries[position] = dataclasses.replace(entry, status=CONFLICT, reason=reason)
    return entries


@dataclass(frozen=True)
class _DistributionFacts:
    name: str
    version: str
    unmet: str  # why it does not go with this version of marsseg, or nothing


_UNKNOWN: Final = "unknown"
_NO_DISTRIBUTION: Final = _DistributionFacts(_UNKNOWN, _UNKNOWN, "")
_facts_by_distribution: dict[int, tuple[Distribution, _DistributionFacts]] = {}


def _facts(distribution: Distribution | None) -> _DistributionFacts:
    # A distribution parses its metadata on each access, and all its entry points share one object. The object is
    # kept beside its facts so that its id is not given to another.
    if distribution is None:
        return _NO_DISTRIBUTION
    if id(distribution) not in _facts_by_distribution:
        fields: Any = distribution.metadata
        requires = fields.get_all("Requires-Dist") or []
        name, version = fields.get("Name") or _UNKNOWN, fields.get("Version") or _UNKNOWN
        facts = _DistributionFacts(normal(name), version, _unmet_requirement(requires))
        _facts_by_distribution[id(distribution)] = (distribution, facts)
    return _facts_by_distribution[id(distribution)][1]


def _unmet_requirement(requires: Iterable[str]) -> str:
    relevant = [text for text in requires if re.match(rf"{DISTRIBUTION}(?![A-Za-z0-9._-])", text, re.IGNORECASE)]
    if not relevant:
        return ""
    from packaging.requirements import InvalidRequirement, Requirement

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
