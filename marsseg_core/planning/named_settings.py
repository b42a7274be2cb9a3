"""Say which settings of a plan a plan file, an option or an override determines.

A setting is the option of a kind, such as "loss", or a key of a section, such as "training.epochs".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields

from ..registry.catalog import Catalog
from ..registry.kinds import PLAN_KINDS
from .documents import base_document
from .moved_keys import with_current_keys
from .options import SECTIONS


def settings_of_plan(base: str, catalog: Catalog) -> set[str]:
    """Return the settings that a plan file, a run or a recipe names. The plan of a run names all."""
    document = base_document(base, catalog)
    values = with_current_keys(document.values)
    named = {kind.option for kind in PLAN_KINDS if document.complete or kind.option in values}
    for section, options in SECTIONS.items():
        table = values.get(section, {})
        keys = [each.name for each in fields(options)] if document.complete else table
        named |= {f"{section}.{key}" for key in keys} if isinstance(table, Mapping) else set()
    return named


def setting_of_option(name: str) -> str | None:
    """Return the setting of an option of `run`, by its name in Python; None if it is no part of a plan."""
    if name == "split":
        return "split.subsets"
    if any(name == kind.option for kind in PLAN_KINDS):
        return name
    return f"training.{name}" if name in SECTIONS["training"].__dataclass_fields__ else None


def settings_named(key: str) -> list[str]:
    """Return the settings of all sections that have this key, such as "training.crop"."""
    return [f"{section}.{key}" for section, options in SECTIONS.items() if key in options.__dataclass_fields__]


def option_of_setting(setting: str) -> str:
    """Return the option of a command for a setting of a section, such as `--learning-rate`."""
    return "--split" if setting == "split.subsets" else f"--{setting.rpartition('.')[2].replace('_', '-')}"


def setting_of_override(text: str) -> str:
    """Return the setting that a text of `--set` or `--vary` determines, or a part of it."""
    path = text.partition("=")[0].strip()
    first = path.partition(".")[0]
    return next((kind.option for kind in PLAN_KINDS if first in (kind.option, kind.name)), path)
