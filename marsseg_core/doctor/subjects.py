"""Find what `marsseg doctor` examines by the words of the user: `wssce`, `acme-losses`, `npz:path=tiles.npz`."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from ..errors import RequestError
from ..planning.grammar import parse
from ..registry.catalog import Catalog
from ..registry.distribution import normal
from ..registry.entries import Entry
from ..registry.plugin_files import SUFFIX

WHEEL: Final = ".whl"
"""The end of the name of a wheel."""

_WHERE: Final = "doctor"


@dataclass(frozen=True)
class Subject:
    """An entry to examine.

    Attributes:
        entry: the entry
        values: values of its parameters, with which its contract is checked
        word: the word that names it
        folder: the folder with its code, if it is not installed
    """

    entry: Entry
    values: Mapping[str, str] = field(default_factory=dict)
    word: str = ""
    folder: Path | None = None


def select(catalog: Catalog, words: Sequence[str]) -> list[Subject]:
    """Return what the words name, in the order of the catalog. No words select everything.

    A word is a name, distribution/name or a distribution. Parameters may follow a name, as in `npz:path=tiles.npz`.

    Raises RequestError for a word that names nothing, and for parameters of what has none.
    """
    if not words:
        return [Subject(entry) for entry in catalog.everything]
    subjects: dict[tuple[Entry, frozenset[tuple[str, str]]], Subject] = {}
    for word in words:
        for subject in _named(word, catalog):
            subjects.setdefault((subject.entry, frozenset(subject.values.items())), subject)
    position = {entry: number for number, entry in enumerate(catalog.everything)}
    return sorted(subjects.values(), key=lambda subject: position[subject.entry])


def _named(word: str, catalog: Catalog) -> Iterator[Subject]:
    named = parse(word, where=_WHERE)
    if len(named) != 1:
        raise RequestError(f"'{word}' is not one name.", where=_WHERE, hint="Separate names by spaces.")
    name, values = named[0].name, named[0].parameters
    entries = [entry for entry in catalog.everything if _names(name, entry)]
    if not entries and os.path.exists(word):
        raise _no_wheel(Path(word))
    if not entries:
        raise RequestError(f"Nothing is called '{name}'.", where=_WHERE, hint=catalog.similar(name))
    if values:
        components = [entry for entry in entries if entry.kind.interface and entry.is_called(name)]
        if not components:
            what = f"The {entries[0].label}" if entries[0].is_called(name) else f"The distribution {name}"
            raise RequestError(f"{what} has no parameters.", where=f"doctor {word}")
        entries = components
    yield from (Subject(entry, values, word) for entry in entries)


def _no_wheel(path: Path) -> RequestError:
    if path.is_dir():
        what, hint = (
            "a folder",
            f"Pass the wheel of a project: in its folder, `python -m build` makes dist/NAME{WHEEL}.",
        )
    elif path.suffix == SUFFIX:
        what, hint = "a Python file", f"Pass it as a plugin file: marsseg doctor --plugin {path}"
    else:
        what, hint = "a file", f"The name of a wheel ends in {WHEEL}."
    return RequestError(f"'{path}' is {what}, not a wheel.", where=_WHERE, hint=hint)


def _names(word: str, entry: Entry) -> bool:
    return entry.is_called(word) or normal(word) == normal(entry.distribution)
