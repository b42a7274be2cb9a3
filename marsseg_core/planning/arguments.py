"""What functions of the Python interface are given: checked, and made into a request for a plan."""

from __future__ import annotations

import numbers
import os
from collections.abc import Iterable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from ..data.cleaning_options import CleaningOptions
from ..data.split_options import SplitOptions
from ..errors import RequestError, nearest
from ..registry import kinds
from .options import TrainingOptions
from .python_components import given_components
from .resolver import Request
from .run_arguments import AS_PLANNED


def path_of(given: Any, what: str) -> Path:
    """A path; RequestError where something else is given."""
    if not isinstance(given, str | os.PathLike) or not isinstance(os.fspath(given), str):
        raise RequestError(f"A path is expected, not {_kind(given)}.", where=what, hint="A text or a Path.")
    return Path(given)


def text_of(given: Any, what: str) -> str:
    """A text; RequestError where something else is given."""
    if not isinstance(given, str):
        raise RequestError(f"{what} is a text, not {_kind(given)}.", where=what)
    return given


def flag_of(given: Any, what: str) -> bool:
    """A truth value; RequestError where something else is given, such as the text "no"."""
    if not isinstance(given, bool) and _kind(given) not in ("bool", "bool_"):  # NumPy's
        raise RequestError(f"{what} is True or False, not {_kind(given)}.", where=what)
    return bool(given)


def count_of(given: Any, what: str, *, at_least: int | None = None) -> int:
    """A whole number; RequestError, by name, where something else or less is given."""
    if given is None and at_least is not None:
        raise RequestError(f"{what} is at least {at_least}, not None.", where=what)
    if isinstance(given, bool) or not isinstance(given, numbers.Integral):
        shown = repr(given) if isinstance(given, str | float | bool) else _kind(given)
        raise RequestError(f"{what} is a whole number, not {shown}.", where=what)
    if at_least is not None and given < at_least:
        raise RequestError(f"{what} is at least {at_least}, not {given!r}.", where=what)
    return int(given)


def paths_of(given: Any, what: str) -> tuple[Path, ...]:
    """A list of paths; RequestError where something else is given."""
    return tuple(path_of(each, what) for each in _listed(given, what, "paths"))


def value_of(given: Any, what: str) -> Any:
    """A value as a plan has it: a number, a text, None, or a list of these; RequestError for anything else.

    Numbers may be NumPy's, texts may be paths.
    """
    if isinstance(given, os.PathLike):
        return str(path_of(given, what))
    value = given.tolist() if type(given).__module__ == "numpy" and hasattr(given, "tolist") else given
    if isinstance(value, list | tuple):
        return tuple(value_of(item, what) for item in value)
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise RequestError(f"{what} cannot be of type {_kind(given)}.", where=what)


def request_of(
    base: Any = None,
    arguments: Mapping[str, Any] | None = None,
    overrides: Any = (),
    plugins: Any = (),
) -> Request:
    """The request that these arguments make. RequestError names a word that a run does not take."""
    given = {key: value for key, value in (arguments or {}).items() if value is not AS_PLANNED}
    options = {kind.option: kind for kind in kinds.PLAN_KINDS}
    training = {field.name for field in fields(TrainingOptions)}
    split = {field.name for field in fields(SplitOptions)} - training
    cleaning = {field.name for field in fields(CleaningOptions)}
    known = {*options, *training, *split, *cleaning}
    if unknown := sorted(set(given) - known):
        raise RequestError(f"A run takes no '{unknown[0]}'.", where=unknown[0], hint=nearest(unknown[0], known))
    sections = {
        section: {key: value_of(value, key) for key, value in given.items() if key in names}
        for section, names in (("training", training), ("split", split), ("cleaning", cleaning))
    }
    return Request(
        None if base is None else str(path_of(base, "base")),
        {key: given_components(options[key], value) for key, value in given.items() if key in options},
        sections,
        tuple(text_of(each, "overrides") for each in _listed(overrides, "overrides", "texts")),
        paths_of(plugins, "plugins"),
    )


def _listed(given: Any, what: str, of: str) -> Iterable[Any]:
    if isinstance(given, str | bytes | os.PathLike) or not isinstance(given, Iterable):
        shown = f"{what}=[{given!r}]" if isinstance(given, str) else None
        raise RequestError(f"{what} is a list of {of}, not {_kind(given)}.", where=what, hint=shown)
    return given


def _kind(given: Any) -> str:
    return type(given).__name__
