"""Check the arguments of the Python functions, and turn them into a request for a plan."""

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
from ..registry.plugin_files import PYTHON
from .named_settings import setting_of_option
from .options import TrainingOptions
from .python_components import given_components
from .request import Request
from .run_arguments import AS_PLANNED


def path_of(value: Any, what: str) -> Path:
    """Return a value as a path; RequestError if it is neither a text nor a path."""
    if not isinstance(value, str | os.PathLike) or not isinstance(os.fspath(value), str):
        raise RequestError(
            f"{what} must be a path, not {_type_name(value)}.", where=what, hint="Pass a string or a Path."
        )
    return Path(value)


def text_of(value: Any, what: str) -> str:
    """Return a value that must be a string; RequestError if it is not."""
    if not isinstance(value, str):
        raise RequestError(f"{what} must be a string, not {_type_name(value)}.", where=what)
    return value


def flag_of(value: Any, what: str) -> bool:
    """Return a value that must be True or False; RequestError for anything else, such as the text "no"."""
    if not isinstance(value, bool) and _type_name(value) not in ("bool", "bool_"):  # NumPy's
        raise RequestError(f"{what} must be True or False, not {_type_name(value)}.", where=what)
    return bool(value)


def count_of(value: Any, what: str, *, at_least: int | None = None, at_most: int | None = None) -> int:
    """Return a value that must be a whole number; RequestError if it is not, or is outside `at_least` … `at_most`."""
    if value is None and at_least is not None:
        raise RequestError(f"{what} must be at least {at_least}, not None.", where=what)
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        shown = repr(value) if isinstance(value, str | float | bool) else _type_name(value)
        raise RequestError(f"{what} must be a whole number, not {shown}.", where=what)
    if at_least is not None and value < at_least:
        raise RequestError(f"{what} must be at least {at_least}, not {value!r}.", where=what)
    if at_most is not None and int(value) > at_most:
        raise RequestError(f"{what} must be at most {at_most:,}, not {value!r}.", where=what)
    return int(value)


def paths_of(values: Any, what: str) -> tuple[Path, ...]:
    """Return a list of texts or paths as paths; RequestError for anything else."""
    return tuple(path_of(each, what) for each in _checked_list(values, what, "paths"))


def texts_of(values: Any, what: str) -> tuple[str, ...]:
    """Return a list of texts; RequestError for anything else."""
    return tuple(text_of(each, what) for each in _checked_list(values, what, "strings"))


def value_of(value: Any, what: str) -> Any:
    """Return a value as a plan stores it: a number, a text, a truth value, None, or a tuple of these.

    NumPy numbers and arrays become Python numbers and tuples, paths become texts. RequestError for anything else.
    """
    if isinstance(value, os.PathLike):
        return str(path_of(value, what))
    plain = value.tolist() if type(value).__module__ == "numpy" and hasattr(value, "tolist") else value
    if isinstance(plain, list | tuple):
        return tuple(value_of(item, what) for item in plain)
    if plain is None or isinstance(plain, bool | int | float | str):
        return plain
    shown = f"the class {value.__name__}" if isinstance(value, type) else f"of type {_type_name(value)}"
    hint = "Pass a number, a string, True, False, None, or a list of these."
    raise RequestError(f"{what} cannot be {shown}.", where=what, hint=hint)


def request_of(
    base: Any = None,
    arguments: Mapping[str, Any] | None = None,
    overrides: Any = (),
    plugins: Any = (),
) -> Request:
    """Make a request from the arguments of a Python function; RequestError names an argument that does not exist."""
    passed = {key: value for key, value in (arguments or {}).items() if value is not AS_PLANNED}
    options = {kind.option: kind for kind in kinds.PLAN_KINDS}
    training = {field.name for field in fields(TrainingOptions)}
    split = {field.name for field in fields(SplitOptions)} - training
    cleaning = {field.name for field in fields(CleaningOptions)}
    known = {*options, *training, *split, *cleaning}
    if unknown := sorted(set(passed) - known):
        raise RequestError(f"A run has no argument '{unknown[0]}'.", where=unknown[0], hint=_hint(unknown[0], known))
    metrics = _metrics(passed)
    sections = {
        section: {key: value_of(value, key) for key, value in passed.items() if key in names}
        for section, names in (("training", training), ("split", split), ("cleaning", cleaning))
    }
    return Request(
        None if base is None else str(path_of(base, "base")),
        {key: given_components(options[key], value) for key, value in passed.items() if key in options},
        sections,
        texts_of(overrides, "overrides"),
        paths_of(plugins, "plugins"),
        metrics=metrics,
        caller=PYTHON,
    )


def _metrics(passed: dict[str, Any]) -> tuple[Any, ...]:
    """Take the metrics out of the arguments, if some are classes or instances; leave them there as one text if not."""
    if "metrics" not in passed:
        return ()
    given = given_components(kinds.METRIC, passed.pop("metrics"), "metrics")
    if isinstance(given, str) or all(isinstance(each, str) for each in given):
        passed["metrics"] = given if isinstance(given, str) else ",".join(given)
        return ()
    return given


def _hint(unknown: str, known: Iterable[str]) -> str:
    """Return a hint for an unknown argument, which may have the name of an option of the command line."""
    setting = (setting_of_option(unknown) or "").rpartition(".")[2]
    return (
        f"Did you mean '{setting}'? It takes what --{unknown} takes." if setting in known else nearest(unknown, known)
    )


def _checked_list(values: Any, what: str, of: str) -> Iterable[Any]:
    if isinstance(values, str | bytes | os.PathLike) or not isinstance(values, Iterable):
        hint = f"{what}=[{values!r}]" if isinstance(values, str) else None
        raise RequestError(f"{what} must be a list of {of}, not {_type_name(values)}.", where=what, hint=hint)
    return values


def _type_name(value: Any) -> str:
    return type(value).__name__
