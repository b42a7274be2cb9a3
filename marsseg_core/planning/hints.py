"""Hints on how to write what a wrong request may mean."""

from __future__ import annotations

import re

from ..registry.catalog import Catalog
from ..registry.kinds import PLAN_KINDS, Kind
from ..registry.loading import load
from ..registry.parameters import parameters_of, to_text
from .grammar import NAME, NUMBER, divided_list
from .layers import Item


def list_of_name(kind: Kind, text: str, name: str, catalog: Catalog) -> str:
    """Return the setting of a list whose commas were taken for those between components; empty if there is none.

    The name, which is none of a component of this kind, must be an item of the list: a number, or, like all items, a
    name of another kind. `text` is the composition.
    """
    if re.fullmatch(NUMBER, name):
        return divided_list(text)
    lists = divided_list(text, NAME)
    items = lists.partition("=")[2].split(",")
    others = (each for each in PLAN_KINDS if each != kind)
    in_one = any(all(catalog.named(item, [other]) for item in items) for other in others)
    return lists if name in items and in_one else ""


def setting_inside(kind: Kind, item: Item, key: str, catalog: Catalog) -> str:
    """Return how to set a parameter of a component that a parameter of `item` names; empty if none of them has it."""
    for parameter, text in item.values.items():
        for entry in catalog.named(text, PLAN_KINDS) if isinstance(text, str) else ():
            if entry.usable and key in parameters_of(load(entry)):
                setting = f"{kind.option}.{item.entry.name}.{parameter}={text}:{key}={to_text(item.values[key])}"
                return f"If it is for '{text}': --set {setting}"
    return ""
