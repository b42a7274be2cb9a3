"""The grammar of components on the command line, in plan files and in a component's own fields.

`,` separates components; the first `:` ends the name; each further `:` starts one scalar `key=value`:

>>> parse("dense:width=0.5,unet")
[Named(name='dense', parameters={'width': '0.5'}), Named(name='unet', parameters={})]
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import RequestError
from ..registry.catalog import Catalog, installed
from ..registry.entries import Entry
from ..registry.kinds import Kind
from ..registry.loading import load
from ..registry.parameters import NONE_WORD, configure


@dataclass(frozen=True)
class Named:
    """A component asked for by name (or distribution/name), with the parameters that were given.

    `version` is that of the distribution with which a plan file was made, where it says so. `held` is what was given in
    Python, where the component only stands for it.
    """

    name: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    version: str = field(default="", repr=False)
    held: Any = field(default=None, repr=False, compare=False)


def parse(text: str, *, where: str | None = None) -> list[Named]:
    """The components that `text` asks for, in order; `none` asks for none of them.

    Raises RequestError for an empty name, a parameter without `=`, and a parameter that is given twice.
    """
    if text.strip() == NONE_WORD:
        return []
    return [_parse_one(item, text, where) for item in text.split(",")]


def _parse_one(item: str, text: str, where: str | None) -> Named:
    name, *pairs = item.strip().split(":")
    if not name:
        raise RequestError(
            f"'{text}' has an empty name where a component is expected.",
            where=where,
            hint="Components are separated by single commas, as in 'transformer,aspp'.",
        )
    parameters: dict[str, str] = {}
    for pair in pairs:
        key, equals, value = (part.strip() for part in pair.partition("="))
        if not (key and equals and value):
            raise RequestError(
                f"'{pair}' in '{item}' is not of the form key=value.",
                where=where,
                hint=f"Parameters follow the name, each after a colon: {name}:key=value.",
            )
        if key in parameters:
            raise RequestError(f"'{key}' is given twice in '{item}'.", where=where, hint="Keep one of the two.")
        parameters[key] = value
    return Named(name, parameters)


def resolve_composition(
    kind: Kind, text: str, catalog: Catalog | None = None, prefer: str | None = None
) -> list[tuple[Entry, Any]]:
    """The components of a kind that a composition text asks for, such as "transformer:heads=4,aspp", configured.

    Of several distributions that have a name, `prefer` is meant.
    """
    catalog = catalog or installed()
    entries = [(catalog.find(kind, named.name, where=text, prefer=prefer), named) for named in parse(text)]
    return [(entry, configure(load(entry), named.parameters, where=named.name)) for entry, named in entries]


def components(kind: Kind, text: str, catalog: Catalog | None = None) -> tuple[Any, ...]:
    """The same without their entries."""
    return tuple(component for _, component in resolve_composition(kind, text, catalog))
