"""`marsseg list`: list installed plugins."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Annotated

import typer

from ..errors import RequestError, nearest
from ..registry.catalog import Catalog
from ..registry.entries import Entry
from ..registry.kinds import ALL_KINDS
from ..registry.listing import find_kind, kind_hint, with_summary
from ..registry.session import open_session
from .common_options import Disable, Plugins
from .completion import kinds_or_names, names_of_kind
from .output import print_json, print_table, warn


def list(
    kind: Annotated[
        str | None,
        typer.Argument(
            help="List only this kind: architecture, bottleneck, loss, …",
            metavar="[KIND]",
            autocompletion=kinds_or_names,
        ),
    ] = None,
    pattern: Annotated[
        str | None,
        typer.Argument(
            help="List only names that contain this text, or match it if it has a *.",
            metavar="[PATTERN]",
            autocompletion=names_of_kind,
        ),
    ] = None,
    plugin: Plugins = None,
    disable: Disable = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List components, recipes, models, observers and commands: kind, name, aliases, summary, provider and status.

    Installed plugins are not imported.
    """
    catalog = open_session(plugins=plugin, disable=disable).catalog
    chosen = find_kind(kind) if kind is not None else None
    if kind is not None and chosen is None:
        if pattern is not None:
            known = [each.name for each in ALL_KINDS]
            raise RequestError(f"There is no kind '{kind}'.", where="list", hint=nearest(kind, known))
        pattern = kind  # `marsseg list unet`
    entries = [e for e in catalog.everything if chosen in (None, e.kind) and _matches(e, pattern)]
    if not entries:
        message = f"No {chosen or 'component'} is called '{pattern}'." if pattern else f"No {chosen} is installed."
        raise RequestError(message, where="list", hint=_hint(pattern, catalog))
    for problem in catalog.problems:
        warn(problem)
    if json:
        print_json(components=[_record(entry) for entry in entries])
    else:
        rows = [_row(entry) for entry in entries]
        print_table(("kind", "name", "aliases", "summary", "provider", "status"), rows, names=2)


def _hint(wrong: str | None, catalog: Catalog) -> str:
    entries = catalog.everything
    if hint := kind_hint(wrong or ""):
        return hint
    if wrong and (of_other_kind := [entry for entry in entries if _matches(entry, wrong)]):
        return f"'{of_other_kind[0].name}' is {of_other_kind[0].kind.with_article}."
    return catalog.similar(wrong or "", [kind.name for kind in ALL_KINDS] + [entry.name for entry in entries])


def _matches(entry: Entry, pattern: str | None) -> bool:
    if pattern is None:
        return True
    names = (entry.name, *entry.aliases)
    return any(fnmatchcase(name, pattern) if "*" in pattern else pattern in name for name in names)


def _row(entry: Entry) -> tuple[str, ...]:
    entry, summary = with_summary(entry)
    status = f"{entry.status}: {entry.reason}" if entry.reason else entry.status
    return (entry.kind.name, entry.name, " ".join(entry.aliases), summary, entry.provider, status)


def _record(entry: Entry) -> dict[str, object]:
    entry, summary = with_summary(entry)
    return {
        "kind": entry.kind.name,
        "name": entry.name,
        "aliases": [*entry.aliases],
        "summary": summary,
        "distribution": entry.distribution,
        "version": entry.version,
        "status": entry.status,
        "reason": entry.reason,
    }
