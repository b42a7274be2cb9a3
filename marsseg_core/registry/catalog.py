"""The catalog of all installed components, made from package metadata without importing plugins.

Names come from the entry points of the installed distributions, summaries from their source files. A plugin is imported
when one of its components is used, so a broken plugin affects only its own components.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

from ..errors import RequestError, nearest
from .disabled import DisabledName, disabled_names
from .discovery import entries_from, scan, with_conflicts
from .entries import DISABLED, OK, Entry
from .kinds import ALL_KINDS, COMMAND, HOOKED_KINDS, OBSERVER, Kind


class Catalog:
    """Hold the entries of all installed components, recipes, observers and commands.

    Attributes:
        entries: the entries that are chosen by name: components and recipes
        observers: the entries of modules with hooks
        commands: the entries of modules that add commands
        problems: a line for each distribution whose metadata cannot be read, or has an unknown entry-point group
    """

    def __init__(self, entries: Iterable[Entry], problems: Iterable[str] = ()) -> None:
        everything = sorted(entries, key=lambda e: (ALL_KINDS.index(e.kind), e.name, e.distribution, e.target))
        self.entries = tuple(entry for entry in everything if entry.kind not in HOOKED_KINDS)
        self.observers = tuple(entry for entry in everything if entry.kind == OBSERVER)
        self.commands = tuple(entry for entry in everything if entry.kind == COMMAND)
        self.problems = tuple(problems)

    @property
    def everything(self) -> tuple[Entry, ...]:
        """Return the entries of components, recipes, observers and commands."""
        return self.entries + self.observers + self.commands

    def with_more(self, entries: Iterable[Entry]) -> Catalog:
        """Return this catalog with more entries. Entries with the same kind and target are not added again.

        New conflicts between names are marked.
        """
        known = {(entry.kind, entry.target) for entry in self.everything}
        more = [entry for entry in entries if (entry.kind, entry.target) not in known]
        return Catalog(with_conflicts([*self.everything, *more]), self.problems)

    def of_kind(self, kind: Kind) -> tuple[Entry, ...]:
        """Return all entries of a kind."""
        return tuple(entry for entry in self.everything if entry.kind == kind)

    def names(self, kind: Kind) -> list[str]:
        """Return the sorted names of a kind that can be used, without aliases."""
        return sorted({entry.name for entry in self.of_kind(kind) if entry.status == OK})

    def named(self, text: str, kinds: Iterable[Kind]) -> list[Entry]:
        """Return all entries of these kinds that are called `text`: a name, an alias or distribution/name."""
        return [entry for entry in self.everything if entry.kind in kinds and entry.is_called(text)]

    def similar(self, wrong: str, known: Iterable[str] | None = None) -> str:
        """Return a hint for a name that nothing has: the most similar one of `known`, or how to list all.

        `known` are the names, aliases and distributions of everything unless given. Problems of the catalog come first.
        """
        if known is None:
            known = {name for entry in self.everything for name in (entry.name, *entry.aliases, entry.distribution)}
        hint = nearest(wrong, known)
        return " ".join([*self.problems, hint if hint.startswith("Did") else "`marsseg list` lists all names."])

    def find(self, kind: Kind, text: str, *, where: str | None = None, prefer: str | None = None) -> Entry:
        """Return the one entry of a kind that is called `text`.

        Args:
            kind: the kind to search
            text: a name, an alias or distribution/name
            where: the option or file that error messages name
            prefer: the distribution to choose if several provide the name

        Raises:
            RequestError: if there is no such entry, it cannot be used, or several distributions provide the name
        """
        entries = self.named(text, [kind])
        # Ignore entries that cannot be used if there is one that can.
        entries = [entry for entry in entries if entry.usable] or entries
        if not entries:
            hint = " ".join([*self.problems, self._hint(kind, text)])
            raise RequestError(f"There is no {kind} '{text}'.", where=where, hint=hint)
        if len(entries) > 1:
            entries = [entry for entry in entries if entry.distribution == prefer] or entries
        if len(entries) > 1 and entries[0].usable:
            choices = " or ".join(entry.qualified_name for entry in entries)
            providers = ", ".join(entry.provider for entry in entries)
            raise RequestError(
                f"Two distributions provide the {kind} '{text}': {providers}.", where=where, hint=f"Use {choices}."
            )
        entry = entries[0]
        if not entry.usable:
            problem = "is disabled" if entry.status == DISABLED else "cannot be used:"
            raise RequestError(f"The {entry.label} {problem} {entry.reason}.", where=where)
        return entry

    def _hint(self, kind: Kind, text: str) -> str:
        of_other_kinds = [entry for entry in self.entries if entry.kind != kind and entry.is_called(text)]
        if of_other_kinds:
            other = of_other_kinds[0].kind
            return f"'{text}' is {other.with_article}: use --{other.option}."
        names = self.names(kind)
        aliases = [alias for entry in self.of_kind(kind) for alias in entry.aliases]
        hint = nearest(text, names + aliases)
        return hint if hint.startswith("Did") else nearest(text, names, listing=f"Installed {kind} names")


def installed(off: tuple[DisabledName, ...] | None = None) -> Catalog:
    """Return the catalog of everything that is installed in this environment, with disabled entries marked.

    This reads package metadata only, once for each process.

    Args:
        off: The disabled names; None for the names in the variable MARSSEG_DISABLE and in `marsseg.toml`.

    Returns:
        The catalog.

    Raises:
        RequestError: If `marsseg.toml` cannot be read, or a disabled name matches no entry.
    """
    return _catalog(disabled_names() if off is None else off)


def rescan() -> None:
    """Forget the catalog, so that it is read again. Needed if a distribution is installed while the process runs."""
    scan.cache_clear()
    _catalog.cache_clear()


@cache
def _catalog(disabled: tuple[DisabledName, ...]) -> Catalog:
    points, problems = scan()
    return Catalog(entries_from(points, disabled), problems)
