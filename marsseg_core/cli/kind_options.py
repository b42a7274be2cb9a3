"""The options that name components: one for each kind that a plan holds, from the kind's registration."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Annotated, Any

import typer

from ..registry.kinds import PLAN_KINDS
from .completion import composition


def takes_kinds(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command an option for each kind, in front of its own.

    What was given it finds in its first argument, `words`: a composition text by the name of the option.
    """
    own = inspect.signature(command, eval_str=True).parameters
    options = [
        inspect.Parameter(
            kind.option,
            inspect.Parameter.POSITIONAL_OR_KEYWORD,
            default=None,
            annotation=Annotated[
                str | None,
                typer.Option(help=kind.help, metavar=kind.metavar, autocompletion=composition(kind, *kind.suffixes)),
            ],
        )
        for kind in PLAN_KINDS
    ]
    names = [option.name for option in options]

    @functools.wraps(command)
    def with_words(**given: Any) -> None:
        words = {name: given.pop(name) for name in names}
        command({name: text for name, text in words.items() if text is not None}, **given)

    # Typer reads both.
    parameters = [*options, *(each for name, each in own.items() if name != "words")]
    with_words.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    with_words.__annotations__ = {each.name: each.annotation for each in parameters}
    return with_words
