"""Complete the help of arguments and options: what holds without them, and no names of types."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from ..errors import MarssegError
from ..planning.documents import DEFAULT_RECIPE, recipe_document
from ..planning.options import SECTIONS
from ..registry.catalog import Catalog, installed
from ..registry.kinds import PLAN_KINDS
from ..registry.parameters import to_text
from .common_options import OTHER
from .configured import configured


def plan_defaults(catalog: Catalog) -> dict[str, str]:
    """Return the value that a plan has without an option of `run`, `sweep` or `ablate`, by the option's name in Python.

    It is that of the recipe `default`, else that of the plan's own options. Options without a value are left out. This
    reads one file, and imports no component.
    """
    recipe: Mapping[str, Any] = recipe_document(DEFAULT_RECIPE, catalog, origin="default").values
    values = {kind.option: recipe.get(kind.option, "none") for kind in PLAN_KINDS}
    values |= {key: option.default for key, option in SECTIONS["training"].__dataclass_fields__.items()}
    values |= recipe.get("training", {})
    values["split"] = SECTIONS["split"].__dataclass_fields__["subsets"].default
    return {name: to_text(value) for name, value in values.items() if value is not None}


def complete(params: Sequence[Any], context: Any = None) -> None:
    """Complete the help of a Click command's options; without a context, as if there were no configuration file.

    If one of them is `--plan`, the command makes a plan. Defaults are sentences of the help, in one form for those of
    plans, of commands and of configuration files.
    """
    planned: Mapping[str, str] = {}
    if any(param.name == "plan" for param in params):
        with suppress(MarssegError):  # in marsseg.toml or a plugin: help is shown all the same
            planned = plan_defaults(installed())
    has_others = any(getattr(param, "rich_help_panel", None) == OTHER for param in params)
    origins = {} if context is None else configured(context).titles
    for param in params:
        if param.param_type_name == "argument":
            param.display_type_rich = _no_type  # Typer writes <list[str]> beside the name
        elif getattr(param, "is_flag", False):
            param.metavar = ""  # Typer writes <bool>
        if has_others and param.rich_help_panel is None:
            param.rich_help_panel = OTHER
        param.show_default = False
        described = vars(param).setdefault("described", getattr(param, "help", None))
        param.help = " ".join(filter(None, (described, _default(param, context, planned, origins.get(param.name)))))


def option_words(param: Any) -> str:
    """Return an option with its value, as it is typed: its names, then those that say the opposite. Or an argument."""
    if param.param_type_name == "argument":
        return str(param.metavar or param.name.upper())
    names = " / ".join(
        ", ".join(sorted(forms, key=len, reverse=True)) for forms in (param.opts, param.secondary_opts) if forms
    )
    return f"{names} {param.metavar}" if param.metavar and not param.is_flag else names


def _no_type(ctx: Any) -> None:
    return None


def _default(param: Any, context: Any, planned: Mapping[str, str], origin: str | None) -> str:
    """Return a sentence with the default of an option, and the configuration file `origin` that sets it, if any."""
    value = param.default if context is None else param.get_default(context, call=False)
    if value is None:  # the seed of a sweep, for example, has its own default
        value = planned.get(param.name)
    if origin is None and value in (None, False, "", (), []):
        return ""
    return f"Default: `{to_text(value)}`" + (f", set in {origin}." if origin else ".")
