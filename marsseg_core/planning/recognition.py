"""Find the data set component that reads a file or folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..components.interfaces import Dataset
from ..errors import RequestError, nearest
from ..files.similar import similar_path
from ..registry import kinds
from ..registry.catalog import Catalog
from ..registry.entries import Entry
from ..registry.loading import load
from ..registry.process_state import keep_process_state
from . import grammar


def named_dataset(text: str, where: str, catalog: Catalog, *, labels: bool = True) -> grammar.NamedComponent:
    """Parse the value of `--data`: a composition text, or a path that one data set component recognises.

    Without `labels`, as for `--unlabelled`, the path may also be one of images without labels alone.
    """
    if not text:  # the path of the working directory
        raise RequestError("The data have no name.", where=where.strip(), hint="Name a data set, a file or a folder.")
    if catalog.named(text.partition(":")[0], [kinds.DATASET]):
        named = grammar.parse(text, where=where)
        if len(named) > 1:
            lists = grammar.divided_list(text, item="[^:,]+")
            hint = (
                f"A comma begins another one: set a list with --set {kinds.DATASET.option}.{lists}" if lists else None
            )
            raise RequestError("A run has one data set.", where=where, hint=hint)
        return named[0]
    path = Path(text)
    if not os.path.exists(path):  # Path.exists raises for a name that is too long
        similar = similar_path(text)
        hint = similar and f"Did you mean '{similar}'?"
        if "/" in text or path.suffix:
            raise RequestError(f"There is no file or folder '{text}'.", where=where, hint=hint)
        if similar and nearest(text, [similar, *_names(catalog)]) == hint:
            raise RequestError(f"There is no file, folder or data set '{text}'.", where=where, hint=hint)
        try:
            catalog.find(kinds.DATASET, text.partition(":")[0], where=where)
        except RequestError as error:
            what, hint = f"{error.what} There is no file or folder at this path either.", error.hint
            if ":" not in text and any(name in text for name in _names(catalog)):  # nofolder is a path, and no typo
                hint = f"Data sets with a name: {', '.join(_names(catalog))}."
            raise RequestError(what, where=where, hint=hint) from None
    owners = datasets_that_recognise(path, catalog)
    if not owners and not labels:
        owners = [entry for entry in _usable(catalog) if _recognises(entry, path, labels=False)]
    if not owners:
        hint = "\n".join([*_explanations(path, catalog), f"Installed: {', '.join(_names(catalog))}."])
        raise RequestError(f"No data set recognises '{text}'.", where=where, hint=hint)
    if len(owners) > 1:
        rivals = ", ".join(entry.qualified_name for entry in owners)
        hint = f"Name one, as in --data {owners[0].qualified_name}:path={text}."
        raise RequestError(f"Several data sets recognise '{text}': {rivals}.", where=where, hint=hint)
    return grammar.NamedComponent(owners[0].qualified_name, {"path": str(path.resolve())})


def _names(catalog: Catalog) -> list[str]:
    return catalog.names(kinds.DATASET)


@contextmanager
def given_as_source(text: str) -> Iterator[None]:
    """Let errors name a data set as the source of a command, and not as the option --data that was not used."""
    try:
        yield
    except RequestError as error:
        if error.where == f"--{kinds.DATASET.option} {text}":
            error.where = f"source {text}"
            error.hint = error.hint and error.hint.replace(f"--{kinds.DATASET.option} ", "")
        raise


def datasets_that_recognise(path: Path, catalog: Catalog) -> list[Entry]:
    """Return the data set components that recognise a file or folder as theirs; generic ones only if no other does."""
    entries = [entry for entry in _usable(catalog) if _recognises(entry, path)]
    return [entry for entry in entries if not load(entry).generic] or entries


def _usable(catalog: Catalog) -> list[Entry]:
    return [entry for entry in catalog.of_kind(kinds.DATASET) if entry.usable]


def _recognises(entry: Entry, path: Path, *, labels: bool = True) -> bool:
    try:
        cls: type[Dataset] = load(entry)
        with keep_process_state():
            return bool((cls.recognises if labels else cls.recognises_unlabelled)(path))
    except (KeyboardInterrupt, MemoryError):
        raise
    except BaseException:
        return False  # a broken plugin recognises nothing; it is reported when it is requested by name


def _explanations(path: Path, catalog: Catalog) -> list[str]:
    """Return for each data set what it looks for and what is there; a broken plugin says nothing.

    Those for any source come first: they say most about what is there.
    """
    generic: list[str] = []
    others: list[str] = []
    for entry in catalog.of_kind(kinds.DATASET):
        try:
            with keep_process_state():
                cls: type[Dataset] | None = load(entry) if entry.usable else None
                text = cls.explain(path) if cls else ""
        except (KeyboardInterrupt, MemoryError):
            raise
        except BaseException:
            continue
        if cls and text:
            (generic if cls.generic else others).append(f"{entry.name}: {text}")
    return generic + others
