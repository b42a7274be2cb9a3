"""Describe the installed components, as in `marsseg list`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from textwrap import shorten

from ..errors import RequestError
from ..shown import HtmlRepr
from .entries import INVALID, Entry
from .kinds import ALL_KINDS, Kind
from .session import open_session
from .source_code import read_summary


@dataclass(frozen=True)
class ComponentInfo:
    """Describe a component, recipe, observer or command, as `marsseg list` shows it.

    Attributes:
        name: its name
        aliases: its other names
        kind: its kind, such as "architecture"
        summary: the first line of its docstring
        provider: the distribution that provides it, with its version
        status: "ok", "conflict", "disabled", "incompatible" or "invalid"
        reason: why it has this status; empty for "ok"
    """

    name: str
    aliases: tuple[str, ...]
    kind: str
    summary: str
    provider: str
    status: str
    reason: str = ""


class ComponentList(list[ComponentInfo], HtmlRepr):
    """Hold descriptions of components, as a list that is shown in a few lines."""

    @property
    def summary(self) -> str:
        """Return the number of components, and of distributions that provide them."""
        return f"{len(self)} of {', '.join(dict.fromkeys(each.provider for each in self)) or 'nothing'}"

    def by_kind(self) -> dict[str, list[ComponentInfo]]:
        """Return the components of each kind, by the name of the kind."""
        kinds: dict[str, list[ComponentInfo]] = {}
        for each in self:
            kinds.setdefault(each.kind, []).append(each)
        return kinds

    def __repr__(self) -> str:
        lines = [f"{kind}: {', '.join(each.name for each in members)}" for kind, members in self.by_kind().items()]
        return "\n  ".join(
            [f"ComponentList({self.summary})", *(shorten(line, 100, placeholder=" …") for line in lines)]
        )


def describe(kind: Kind | None, plugins: Iterable[str | Path]) -> ComponentList:
    """Describe everything that is installed, or everything of a kind, and the components of the files `plugins`.

    The plugin files are executed. Installed plugins are not imported.
    """
    return ComponentList(
        ComponentInfo(entry.name, entry.aliases, entry.kind.name, summary, entry.provider, entry.status, entry.reason)
        for entry, summary in map(with_summary, open_session(plugins=plugins).catalog.everything)
        if kind in (None, entry.kind)
    )


def with_summary(entry: Entry) -> tuple[Entry, str]:
    """Return an entry and the first line of its docstring, which is empty if its source is not found.

    If the source cannot be read, the returned entry is invalid, with the reason.
    """
    try:
        return entry, read_summary(entry)
    except RequestError as error:
        return (replace(entry, status=INVALID, reason=error.what) if entry.usable else entry), ""


def find_kind(word: str) -> Kind | None:
    """Find a kind by its name, its plural or its option; None if there is no such kind."""
    for kind in ALL_KINDS:
        if word in (kind.name, kind.option, kind.group.partition(".")[2]):
            return kind
    return None


def kind_hint(word: str) -> str:
    """Return how to list a kind if the word is its name, its plural or its option; an empty text for any other word."""
    kind = find_kind(word)
    return f"'{word}' is a kind: `marsseg list {kind.name}` lists its names." if kind else ""
