"""Read the entry points of the installed distributions, and determine their status. No plugin is imported."""

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
from .kinds import ALL_KINDS, HOOKED_KINDS, Kind
from .parameters import NONE_WORD

_PREFIX: Final = f"{DISTRIBUTION}."


@cache
def scan() -> tuple[tuple[EntryPoint, ...], tuple[str, ...]]:
    """Return marsseg's entry points in all distributions, and a line for each problem with their metadata."""
    points: list[EntryPoint] = []
    groups = [kind.group for kind in ALL_KINDS]
    problems, seen = [], set()
    for distribution in metadata.distributions():
        try:
            points_here = own_points(distribution)
            name = _facts(distribution).name if points_here else ""
            if points_here and name not in seen:
                seen.add(name)
                # If a distribution is on the path twice, Python imports the first, so read the metadata of that one.
                points_here = points_here if name == _UNKNOWN else own_points(metadata.distribution(name))
                points += [point for point in points_here if point.group in groups]
                problems += unknown_groups(name, points_here)
        except Exception as cause:
            folder = distribution.locate_file("")
            problems.append(f"A distribution in {folder} cannot be read: {type(cause).__name__}: {cause}")
    return tuple(points), tuple(sorted(problems))


def own_points(distribution: Distribution) -> list[EntryPoint]:
    """Return the entry points of a distribution whose groups begin with "marsseg."."""
    # Most distributions have none; searching their text takes a tenth of the time of parsing it.
    if _PREFIX not in (distribution.read_text("entry_points.txt") or ""):
        return []
    return [point for point in distribution.entry_points if point.group.startswith(_PREFIX)]


def unknown_groups(distribution: str, points: Iterable[EntryPoint]) -> list[str]:
    """Return a sentence for each group of these entry points that no kind of marsseg has."""
    groups = [kind.group for kind in ALL_KINDS]
    return [
        f"{distribution} has entry points in the group '{group}', which marsseg does not know. {nearest(group, groups)}"
        for group in sorted({point.group for point in points} - {*groups})
    ]


def entries_from(points: Iterable[EntryPoint], disabled: Iterable[DisabledName] = ()) -> list[Entry]:
    """Convert entry points to entries with their status, without an import.

    Raises RequestError if a disabled name matches no entry.
    """
    points = list(points)
    entries: list[Entry] = []
    for kind in ALL_KINDS:
        by_target: dict[tuple[str, str], list[EntryPoint]] = defaultdict(list)
        for point in points:
            if point.group == kind.group:
                by_target[_facts(point.dist).name, point.value].append(point)
        entries += [_entry(kind, same) for same in by_target.values()]
    return with_conflicts(_with_disabled(entries, disabled))


def _with_disabled(entries: list[Entry], disabled: Iterable[DisabledName]) -> list[Entry]:
    """Mark the disabled entries. Recipes and models hold no code, and are disabled only with their distribution."""
    for disabled_name in disabled:
        matching = [
            position
            for position, entry in enumerate(entries)
            if normal(disabled_name.word) == normal(entry.distribution)
            or (not entry.kind.file and entry.is_called(disabled_name.word))
        ]
        if not matching:
            known = {entry.distribution for entry in entries}
            known |= {name for entry in entries if not entry.kind.file for name in (entry.name, *entry.aliases)}
            raise RequestError(
                f"'{disabled_name.word}' cannot be disabled: nothing installed has this name.",
                where=disabled_name.origin,
                hint=nearest(disabled_name.word, known, listing="There are"),
            )
        for position in matching:
            if entries[position].status == OK:
                reason = f"by {disabled_name.origin}"
                entries[position] = dataclasses.replace(entries[position], status=DISABLED, reason=reason)
    return entries


def _entry(kind: Kind, points: list[EntryPoint]) -> Entry:
    """Make one entry of all the entry points of a distribution that point to the same object: a name and aliases."""
    facts = _facts(points[0].dist)
    target = points[0].value.partition("[")[0].strip()  # without extras
    module_name = target.partition(":")[0].rpartition(".")[2]
    # The main name is the name of the module, otherwise an identifier: `unet3plus` before `unet3+`.
    names = sorted({p.name for p in points}, key=lambda name: (name != module_name, not name.isidentifier(), name))
    status, reason = OK, ""
    if wrong := [name for name in names if not NAME_PATTERN.fullmatch(name)]:
        status = INVALID
        reason = f"'{wrong[0]}' is not a valid name (lower case letters, digits and + _ . - only)"
    elif kind not in HOOKED_KINDS and (reserved := [name for name in names if name == NONE_WORD or name.isdecimal()]):
        status = INVALID
        reason = f"'{reserved[0]}' is not a valid name: '{NONE_WORD}' means no component, a number means a position"
    elif facts.unmet:
        status, reason = INCOMPATIBLE, facts.unmet
    return Entry(kind, names[0], target, facts.name, facts.version, tuple(names[1:]), status, reason)


def with_conflicts(entries: Iterable[Entry]) -> list[Entry]:
    """Mark the usable entries whose names are provided by another distribution too, in the same kind.

    An entry is invalid if its own distribution has another entry with the same name. Observers and commands are not
    chosen by name, so they have no conflicts with other distributions.
    """
    entries = [dataclasses.replace(e, status=OK, reason="") if e.status == CONFLICT else e for e in entries]
    uses = Counter((e.kind, e.distribution, name) for e in entries for name in (e.name, *e.aliases))
    owners: dict[tuple[Kind, str], set[str]] = defaultdict(set)
    for position, entry in enumerate(entries):
        names = (entry.name, *entry.aliases)
        if repeated := [name for name in names if uses[entry.kind, entry.distribution, name] > 1]:
            reason = f"{entry.distribution} uses the name '{repeated[0]}' twice"
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
    unmet: str  # why it does not work with this version of marsseg; empty if it does


_UNKNOWN: Final = "unknown"
_NO_DISTRIBUTION: Final = _DistributionFacts(_UNKNOWN, _UNKNOWN, "")
_facts_by_distribution: dict[int, tuple[Distribution, _DistributionFacts]] = {}


def _facts(distribution: Distribution | None) -> _DistributionFacts:
    # A distribution parses its metadata on each access, so the facts are cached by the object's id. The cache also
    # stores the object, so that its id is not used for another object.
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
