"""Parse composition texts such as `dense:width=0.5,unet`.

Composition texts are used on the command line, in plan files and in parameters of components. A comma separates
components. The first colon ends the name, and each colon starts one parameter `key=value`:

>>> parse("dense:width=0.5,unet")
[NamedComponent(name='dense', parameters={'width': '0.5'}), NamedComponent(name='unet', parameters={})]
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from ..errors import RequestError
from ..registry.catalog import Catalog, installed
from ..registry.kinds import Kind
from ..registry.loading import load
from ..registry.parameters import NONE_WORD, configure, parameters_of
from .options import options_of
from .resolved import ResolvedComponent

# The patterns of a number and of a name, which may be items of a list.
NUMBER: Final = r"[-+]?[\d.]+(?:e[-+]?\d+)?"
NAME: Final = r"[^\s:,=]+"


@dataclass(frozen=True)
class NamedComponent:
    """A component that is requested by name, before the name is looked up.

    Attributes:
        name: the name, or distribution/name
        parameters: the requested values of its parameters
        version: the version of its distribution in the plan file; empty if there is none
        python_object: the data or network passed in Python that the component represents; None for any other
    """

    name: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    version: str = field(default="", repr=False)
    python_object: Any = field(default=None, repr=False, compare=False)


def parse(text: str, *, where: str | None = None) -> list[NamedComponent]:
    """Parse a composition text into its components, in order. The text `none` gives an empty list.

    Raises RequestError for an empty name, a parameter without `=`, and a parameter that occurs twice.
    """
    if text.strip() == NONE_WORD:
        return []
    return [_parse_one(item, text, where) for item in text.split(",")]


def _parse_one(item: str, text: str, where: str | None) -> NamedComponent:
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
    return NamedComponent(name, parameters)


def divided_list(text: str, item: str = NUMBER) -> str:
    """Return the setting of a list that the commas of a composition text divide; an empty text if there is none.

    `item` is the pattern of its items.

    >>> divided_list("dense,unet:width=0.5:filters=16,32")
    'unet.filters=16,32'
    """
    found = re.search(rf"([^\s:,]+)(?::[^:,]+)*:\s*([^\s:=,]+)\s*=\s*({item}(?:\s*,\s*{item})+)(?=\s*(?:,|$))", text)
    return "" if found is None else f"{found[1]}.{found[2]}={''.join(found[3].split())}"


def resolve_composition(
    kind: Kind, text: str, catalog: Catalog | None = None, prefer: str | None = None, *, where: str | None = None
) -> list[ResolvedComponent]:
    """Create the components of a composition text, such as "hflip:p=1,noise", with their entries and options.

    If several distributions provide a name, the distribution `prefer` is used. Errors name `where`, else the text.
    """
    catalog = catalog or installed()
    entries = [(catalog.find(kind, named.name, where=where or text, prefer=prefer), named) for named in parse(text)]
    options = options_of(kind)
    core = parameters_of(options)
    resolved = []
    for entry, named in entries:
        own = {key: value for key, value in named.parameters.items() if key not in core}
        others = {key: value for key, value in named.parameters.items() if key in core}
        place = f"{named.name}, {where}" if where else named.name
        component = configure(load(entry), own, where=place)
        resolved.append(ResolvedComponent(entry, component, configure(options, others, where=place)))
    return resolved


def components(kind: Kind, text: str, catalog: Catalog | None = None, *, where: str | None = None) -> tuple[Any, ...]:
    """Create the components of a composition text. Errors name `where`, else the text."""
    return tuple(each.component for each in resolve_composition(kind, text, catalog, where=where))
