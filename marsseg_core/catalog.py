"""Every component installed, known from package metadata alone.

Names come from the entry points of the installed distributions, summaries from their source text. No plugin is
imported before one of its components is asked for, so a broken plugin hurts only its own names.
"""

from __future__ import annotations

import dataclasses
import importlib
import re
import sys
import time
import traceback
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from importlib.metadata import Distribution, EntryPoint
from operator import attrgetter
from pathlib import Path
from threading import Lock
from typing import Any, Final

from .errors import MarssegError, MarssegWarning, PluginError, RequestError, nearest
from .kinds import ALL_KINDS, OBSERVER, RECIPE, Kind
from .parameters import NONE_WORD, check_defaults, parameters_of
from .switches import Switch, switches

NAME_PATTERN: Final = re.compile(r"[a-z0-9][a-z0-9+_.-]*")

OK: Final = "ok"
CONFLICT: Final = "conflict"
DISABLED: Final = "disabled"
INCOMPATIBLE: Final = "incompatible"
INVALID: Final = "invalid"

DISTRIBUTION: Final = "marsseg"

# An import that takes longer than this is named; what is light takes a few hundredths.
SLOW_SECONDS: Final = 2.0


@dataclass(frozen=True)
class Entry:
    """One component, recipe or observer of one distribution. `target` is "module:attribute", or a module path."""

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

    def is_called(self, text: str) -> bool:
        """Whether `text` may mean this one: a name, an alias or distribution/name."""
        distribution, slash, name = text.rpartition("/")
        return name in (self.name, *self.aliases) and (not slash or normal(distribution) == normal(self.distribution))

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
    """The entries of what is installed, by kind and name; observers apart, as nobody chooses one.

    `problems` has a line for each distribution whose metadata cannot be read, or names what there is not.
    """

    def __init__(self, entries: Iterable[Entry], problems: Iterable[str] = ()) -> None:
        everything = sorted(entries, key=lambda e: (ALL_KINDS.index(e.kind), e.name, e.distribution, e.target))
        self.entries = tuple(entry for entry in everything if entry.kind != OBSERVER)
        self.observers = tuple(entry for entry in everything if entry.kind == OBSERVER)
        self.problems = tuple(problems)

    @property
    def everything(self) -> tuple[Entry, ...]:
        return self.entries + self.observers

    def with_more(self, entries: Iterable[Entry]) -> Catalog:
        """This catalog with those entries that it lacks, which may be in conflict with those that are there."""
        known = {(entry.kind, entry.target) for entry in self.everything}
        more = [entry for entry in entries if (entry.kind, entry.target) not in known]
        return Catalog(_with_conflicts([*self.everything, *more]), self.problems)

    def of_kind(self, kind: Kind) -> tuple[Entry, ...]:
        return tuple(entry for entry in self.everything if entry.kind == kind)

    def names(self, kind: Kind) -> list[str]:
        """The names of a kind that can be used, without aliases."""
        return sorted({entry.name for entry in self.of_kind(kind) if entry.status == OK})

    def named(self, text: str, kinds: Iterable[Kind]) -> list[Entry]:
        """All entries of these kinds that `text` may mean: a name, an alias or distribution/name."""
        return [entry for entry in self.everything if entry.kind in kinds and entry.is_called(text)]

    def find(self, kind: Kind, text: str, *, where: str | None = None, prefer: str | None = None) -> Entry:
        """The one entry that `text` means; RequestError says what is wrong with the name and what to use.

        Where several distributions claim the name, that of the distribution `prefer` is meant, if it is one of them.
        """
        found = self.named(text, [kind])
        # One that cannot be used does not stand in the way of one that can.
        found = [entry for entry in found if entry.usable] or found
        if not found:
            hint = " ".join([*self.problems, self._hint(kind, text)])
            raise RequestError(f"There is no {kind} '{text}'.", where=where, hint=hint)
        if len(found) > 1:
            found = [entry for entry in found if entry.distribution == prefer] or found
        if len(found) > 1 and found[0].usable:
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
        elsewhere = [entry for entry in self.entries if entry.kind != kind and entry.is_called(text)]
        if elsewhere:
            other = elsewhere[0].kind
            return f"'{text}' is {other.with_article}: it goes with --{other.option}."
        names = self.names(kind)
        aliases = [alias for entry in self.of_kind(kind) for alias in entry.aliases]
        hint = nearest(text, names + aliases)
        return hint if hint.startswith("Did") else nearest(text, names, listing=f"Installed {kind} names")


def installed() -> Catalog:
    """The catalog of this environment, without what is switched off. The path is read once for a process."""
    return _catalog(switches())


def rescan() -> None:
    """Read the path again when it is next asked for: after an installation in this process."""
    _scan.cache_clear()
    _catalog.cache_clear()


@cache
def _catalog(off: tuple[Switch, ...]) -> Catalog:
    points, problems = _scan()
    return Catalog(entries_from(points, off), problems)


_PREFIX: Final = f"{DISTRIBUTION}."
_GROUPS: Final = tuple(kind.group for kind in ALL_KINDS)


@cache
def _scan() -> tuple[tuple[EntryPoint, ...], tuple[str, ...]]:
    """marsseg's entry points of each distribution, and a line for each whose metadata is wrong."""
    points: list[EntryPoint] = []
    problems, seen = [], set()
    for distribution in metadata.distributions():
        try:
            own = _own_points(distribution)
            name = _facts(distribution).name if own else ""
            if own and name not in seen:
                seen.add(name)
                # Of one that is twice on the path, Python takes the first.
                own = own if name == _UNKNOWN else _own_points(metadata.distribution(name))
                points += [point for point in own if point.group in _GROUPS]
                problems += [
                    f"{name} names things in the entry-point group '{group}', which is none of marsseg's. "
                    f"{nearest(group, _GROUPS)}"
                    for group in sorted({point.group for point in own} - {*_GROUPS})
                ]
        except Exception as cause:
            folder = distribution.locate_file("")
            problems.append(f"A distribution in {folder} cannot be read: {type(cause).__name__}: {cause}")
    return tuple(points), tuple(sorted(problems))


def _own_points(distribution: Distribution) -> list[EntryPoint]:
    return [point for point in distribution.entry_points if point.group.startswith(_PREFIX)]


def entries_from(points: Iterable[EntryPoint], off: Iterable[Switch] = ()) -> list[Entry]:
    """Entry points → entries, with their status. Imports nothing. RequestError where a switch means nothing."""
    points = list(points)
    entries: list[Entry] = []
    for kind in ALL_KINDS:
        by_target: dict[tuple[str, str], list[EntryPoint]] = defaultdict(list)
        for point in points:
            if point.group == kind.group:
                by_target[_facts(point.dist).name, point.value].append(point)
        entries += [_entry(kind, same) for same in by_target.values()]
    return _with_conflicts(_without(entries, off))


def _without(entries: list[Entry], off: Iterable[Switch]) -> list[Entry]:
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
    elif kind != OBSERVER and (taken := [name for name in names if name == NONE_WORD or name.isdecimal()]):
        status = INVALID
        reason = f"'{taken[0]}' is no name: '{NONE_WORD}' stands for nothing, a number for a position"
    elif facts.unmet:
        status, reason = INCOMPATIBLE, facts.unmet
    return Entry(kind, names[0], target, facts.name, facts.version, tuple(names[1:]), status, reason)


def _with_conflicts(entries: Iterable[Entry]) -> list[Entry]:
    """Mark the usable entries of one kind whose names another distribution claims too.

    A name that one distribution gives to two things is invalid. Observers are all called, so none is a rival.
    """
    entries = [dataclasses.replace(e, status=OK, reason="") if e.status == CONFLICT else e for e in entries]
    given = Counter((e.kind, e.distribution, name) for e in entries for name in (e.name, *e.aliases))
    owners: dict[tuple[Kind, str], set[str]] = defaultdict(set)
    for position, entry in enumerate(entries):
        names = (entry.name, *entry.aliases)
        if twice := [name for name in names if given[entry.kind, entry.distribution, name] > 1]:
            reason = f"{entry.distribution} gives the name '{twice[0]}' to two things"
            entries[position] = dataclasses.replace(entry, status=INVALID, reason=reason)
        elif entry.status == OK and entry.kind != OBSERVER:
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


@cache
def version() -> str:
    """The version of the installed distribution."""
    return metadata.version(DISTRIBUTION)


def normal(name: str) -> str:
    """A distribution's name as packaging compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def interface_of(kind: Kind) -> type[Any]:
    """The class that the components of a kind derive from."""
    module, _, name = kind.interface.partition(":")
    interface: type[Any] = getattr(importlib.import_module(module), name)
    return interface


def import_target(entry: Entry) -> Any:
    """Import what an entry names. An import that takes long is said.

    Raises PluginError naming the plugin, its distribution, the file and the cause, whatever its module does.
    """
    # What it prints must not get between the results of a command.
    with blaming(entry), telling_slow(f"The {entry.label}"), stdout_aside():
        module = importlib.import_module(entry.module)
        try:
            return attrgetter(entry.attribute)(module) if entry.attribute else module
        except AttributeError as cause:
            own = [name for name, value in vars(module).items() if getattr(value, "__module__", "") == entry.module]
            raise PluginError(
                f"The {entry.label} cannot be loaded: {cause}.",
                where=_place(entry),
                hint=f"{nearest(entry.attribute, own, listing='It has')} {_REINSTALL}",
            ) from cause


_REINSTALL: Final = "Entry points stand in its pyproject.toml; mend it there, and install it again."


@contextmanager
def blaming(entry: Entry, what: str = "cannot be loaded") -> Iterator[None]:
    """Turn whatever a plugin raises, SystemExit too, into a PluginError that names it."""
    try:
        yield
    except (KeyboardInterrupt, MarssegError):
        raise
    except BaseException as cause:
        raise PluginError(
            f"The {entry.label} {what}: {type(cause).__name__}: {cause}",
            where=_place(entry, cause),
            hint="Everything else goes on working; `marsseg --traceback …` shows where it failed.",
        ) from cause


_aside = Lock()
_aside_count = 0
_aside_from: Any = None


@contextmanager
def stdout_aside() -> Iterator[None]:
    """Send to standard error what a plugin prints while it is imported, so that it stays out of a command's results.

    Threads may leave in another order than they came: the last one puts standard output back.
    """
    global _aside_count, _aside_from
    with _aside:
        if not _aside_count:
            _aside_from, sys.stdout = sys.stdout, sys.stderr
        _aside_count += 1
    try:
        yield
    finally:
        with _aside:
            _aside_count -= 1
            if not _aside_count:
                sys.stdout = _aside_from


@contextmanager
def telling_slow(what: str) -> Iterator[None]:
    """Warn where what is done inside takes longer than an import should."""
    start = time.monotonic()
    yield
    seconds = time.monotonic() - start
    if seconds > SLOW_SECONDS:
        warnings.warn(f"{what} took {seconds:.1f} s to import.", MarssegWarning, stacklevel=4)


def _place(entry: Entry, cause: BaseException | None = None) -> str:
    """The target, and the file and line where it failed or where its class begins."""
    from .sources import find_source, module_file, own_code

    place = failing_place(own_code(entry.module), cause)
    if place is None and (source := find_source(entry)):
        place = f"{source.path}:{source.line}"
    if place is None and (file := module_file(entry.module)):
        place = str(file)
    return f"{entry.target} ({place})" if place else entry.target


def failing_place(own: Path | None, cause: BaseException | None) -> str | None:
    """The last line of a plugin's `own` file, or folder, that an exception came through, as file:line.

    Of a SyntaxError, the line that is no Python.
    """
    if own is None or cause is None:
        return None
    places = [(frame.filename, frame.lineno) for frame in traceback.extract_tb(cause.__traceback__)]
    if isinstance(cause, SyntaxError) and cause.filename:
        places.append((cause.filename, cause.lineno))
    places = [(file, line) for file, line in places if own in (Path(file), *Path(file).parents)]
    return "{}:{}".format(*places[-1]) if places else None


@cache
def load(entry: Entry) -> type[Any]:
    """Import one component's module and give its class.

    Raises PluginError naming the plugin, its distribution, the file and the cause, whatever its module does.
    """
    found = import_target(entry)
    interface = interface_of(entry.kind)
    if not isinstance(found, type):
        problem = f"it is no class, but of type {type(found).__name__}"
    elif not issubclass(found, interface):
        problem = f"it is not a subclass of {interface.__name__}"
    elif "__dataclass_fields__" not in vars(found):
        problem = "it is not a dataclass"
    elif not vars(found)["__dataclass_params__"].frozen:
        problem = "its dataclass is not frozen"
    elif missing := sorted(getattr(found, "__abstractmethods__", ())):
        problem = f"it does not define {', '.join(missing)}"
    else:
        try:
            with blaming(entry, "cannot be used"):
                check_defaults(parameters_of(found))
        except PluginError as error:
            if error.what.startswith(f"The {entry.label}"):
                raise
            what = f"The {entry.label} cannot be used: {error.what}"
            raise PluginError(what, where=_place(entry), hint=error.hint) from error
        return found
    raise PluginError(
        f"The {entry.label} cannot be used: {problem}.",
        where=_place(entry),
        hint=f"A component is a frozen dataclass that derives from {interface.__name__}.",
    )
