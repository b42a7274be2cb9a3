"""Add options to the signature of a command."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any


def extended(
    command: Callable[..., None],
    call: Callable[..., None],
    *,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    without: Sequence[str] = (),
) -> Callable[..., None]:
    """Make a command for Typer that calls `call`, with the options of `command` and further ones.

    `before` and `after` hold the annotations of the further options by their names, to be shown before and after those
    of `command`. Their defaults are None, or False for flags. `without` names arguments of `command` that are not
    options.
    """
    command_parameters = inspect.signature(command, eval_str=True).parameters

    def options(annotations: Mapping[str, Any] | None) -> list[inspect.Parameter]:
        kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
        return [
            inspect.Parameter(
                name, kind, default=False if annotation.__origin__ is bool else None, annotation=annotation
            )
            for name, annotation in (annotations or {}).items()
        ]

    parameters = [
        *options(before),
        *(each for name, each in command_parameters.items() if name not in without),
        *options(after),
    ]

    @functools.wraps(command)
    def wrapped(**values: Any) -> None:
        call(**values)

    # Keyword-only parameters may have defaults in any order.
    parameters = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in parameters]
    wrapped.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    wrapped.__annotations__ = {each.name: each.annotation for each in parameters}
    return wrapped
