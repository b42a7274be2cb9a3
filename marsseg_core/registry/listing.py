"""Describe the installed components, as in `marsseg list`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from ..errors import RequestError
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


def describe(kind: Kind | None, plugins: Iterable[str | Path]) -> list[ComponentInfo]:
    """Describe everything that is installed, or everything of a kind, and the components of the files `plugins`.

    The plugin files are executed. Installed plugins are not imported.
    """
    return [
        ComponentInfo(entry.name, entry.aliases, entry.kind.name, summary, entry.provider, entry.status, entry.reason)
        for entry, summary in map(with_summary, open_session(plugins=plugins).catalog.everything)
        if kind in (None, entry.kind)
    ]


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
