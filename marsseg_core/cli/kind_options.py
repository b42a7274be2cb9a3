"""Add the options that name components (`--arch`, `--loss`, …): one for each kind of a plan."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import typer

from ..registry.kinds import DATASET, PLAN_KINDS, Kind
from .common_options import COMPONENTS, DATA
from .completion import composition
from .signatures import extended


def takes_kinds(command: Callable[..., None]) -> Callable[..., None]:
    """Add an option for each kind to a command, before its own options.

    The command receives the values in its argument `compositions`: a composition by the name of the option.
    Options that were not used are left out.
    """
    return _with_options(command, str | None)


def takes_choices(command: Callable[..., None]) -> Callable[..., None]:
    """Add an option for each kind, like `takes_kinds`, that can be repeated: `compositions` has lists."""
    return _with_options(command, list[str] | None)


def _with_options(command: Callable[..., None], values_of_one: Any) -> Callable[..., None]:
    options = {kind.option: _annotation(kind, values_of_one) for kind in PLAN_KINDS}

    def call(**values: Any) -> None:
        compositions = {name: values.pop(name) for name in options}
        used = {name: given for name, given in compositions.items() if given not in (None, (), [])}
        command(compositions=used, **values)

    return extended(command, call, before=options, without=["compositions"])


def _annotation(kind: Kind, values: Any) -> Any:
    option = typer.Option(
        help=kind.help,
        metavar=kind.metavar,
        autocompletion=composition(kind, *kind.suffixes),
        rich_help_panel=DATA if kind is DATASET else COMPONENTS,
    )
    return Annotated[values, option]
