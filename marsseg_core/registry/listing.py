"""What is installed, as a list to read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from .entries import Entry
from .kinds import ALL_KINDS, Kind
from .session import open_session
from .source_code import find_source


@dataclass(frozen=True)
class ComponentInfo:
    """A component, recipe or observer, as `marsseg list` shows it.

    `status` is "ok", or says with `reason` why the name cannot be used as it is.
    """

    name: str
    aliases: tuple[str, ...]
    kind: str
    summary: str
    provider: str
    status: str
    reason: str = ""


def describe(kind: Kind | None, plugins: Iterable[str | Path]) -> list[ComponentInfo]:
    """Describe all that is installed, or all of a kind, with the components of these files. Imports no plugin."""
    return [
        ComponentInfo(
            entry.name, entry.aliases, entry.kind.name, summary_of(entry), entry.provider, entry.status, entry.reason
        )
        for entry in open_session(plugins=plugins).catalog.everything
        if kind in (None, entry.kind)
    ]


def summary_of(entry: Entry) -> str:
    """Give the first line of a component's docstring; empty where its source is not there."""
    source = find_source(entry)
    return source.summary if source else ""


def find_kind(word: str) -> Kind | None:
    """Find the kind that a word means: its name, its plural, or its option."""
    for kind in ALL_KINDS:
        if word in (kind.name, kind.option, kind.group.partition(".")[2]):
            return kind
    return None
