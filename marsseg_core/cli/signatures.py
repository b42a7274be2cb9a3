"""Giving a command more options than its function names."""

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
    """Make a command of `call` that takes what `command` takes, and more, as Typer reads it.

    `before` and `after` have the annotation of each further option by its name; they are None or False where they are
    not given. `without` names arguments of `command` that are none of the command line's.
    """
    own = inspect.signature(command, eval_str=True).parameters

    def options(annotations: Mapping[str, Any] | None) -> list[inspect.Parameter]:
        kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
        return [
            inspect.Parameter(
                name, kind, default=False if annotation.__origin__ is bool else None, annotation=annotation
            )
            for name, annotation in (annotations or {}).items()
        ]

    parameters = [*options(before), *(each for name, each in own.items() if name not in without), *options(after)]

    @functools.wraps(command)
    def wrapped(**given: Any) -> None:
        call(**given)

    # As options they have no order.
    parameters = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in parameters]
    wrapped.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    wrapped.__annotations__ = {each.name: each.annotation for each in parameters}
    return wrapped
