"""Every component installed, known from package metadata alone.

Names come from the entry points of the installed distributions, summaries from their source text. No plugin is
imported before one of its components is asked for, so a broken plugin hurts only its own names.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

from ..errors import RequestError, nearest
from .disabled import DisabledName, disabled_names
from .discovery import entries_from, scan, with_conflicts
from .entries import OK, Entry
from .kinds import ALL_KINDS, COMMAND, HOOKED_KINDS, OBSERVER, Kind


class Catalog:
    """The entries of what is installed, by kind and name; observers and commands apart, as nobody chooses one.

    `problems` has a line for each distribution whose metadata cannot be read, or names what there is not.
    """

    def __init__(self, entries: Iterable[Entry], problems: Iterable[str] = ()) -> None:
        everything = sorted(entries, key=lambda e: (ALL_KINDS.index(e.kind), e.name, e.distribution, e.target))
        self.entries = tuple(entry for entry in everything if entry.kind not in HOOKED_KINDS)
        self.observers = tuple(entry for entry in everything if entry.kind == OBSERVER)
        self.commands = tuple(entry for entry in everything if entry.kind == COMMAND)
        self.problems = tuple(problems)

    @property
    def everything(self) -> tuple[Entry, ...]:
        return self.entries + self.observers + self.commands

    def with_more(self, entries: Iterable[Entry]) -> Catalog:
        """This catalog with those entries that it lacks, which may be in conflict with those that are there."""
        known = {(entry.kind, entry.target) for entry in self.everything}
        more = [entry for entry in entries if (entry.kind, entry.target) not in known]
        return Catalog(with_conflicts([*self.everything, *more]), self.problems)

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


def installed(off: tuple[DisabledName, ...] | None = None) -> Catalog:
    """Give the catalog of this environment, without what is switched off, from package metadata alone.

    The path is read once for a process.

    Args:
        off: What is switched off; by default what the variable and the file say.

    Raises:
        RequestError: where `marsseg.toml` cannot be read, or a name that is to be disabled is none
    """
    return _catalog(disabled_names() if off is None else off)


def rescan() -> None:
    """Read the path again when it is next asked for: after an installation in this process."""
    scan.cache_clear()
    _catalog.cache_clear()


@cache
def _catalog(off: tuple[DisabledName, ...]) -> Catalog:
    points, problems = scan()
    return Catalog(entries_from(points, off), problems)
