"""The options that name components: one for each kind that a plan holds, from the kind's registration."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import typer

from ..registry.kinds import PLAN_KINDS, Kind
from .completion import composition
from .signatures import extended


def takes_kinds(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command an option for each kind, in front of its own.

    What was given it finds in its first argument, `compositions`: a composition text by the name of the option.
    """
    options = {kind.option: _annotation(kind) for kind in PLAN_KINDS}

    def call(**given: Any) -> None:
        compositions = {name: given.pop(name) for name in options}
        command({name: text for name, text in compositions.items() if text is not None}, **given)

    return extended(command, call, before=options, without=["compositions"])


def _annotation(kind: Kind) -> Any:
    option = typer.Option(help=kind.help, metavar=kind.metavar, autocompletion=composition(kind, *kind.suffixes))
    return Annotated[str | None, option]
