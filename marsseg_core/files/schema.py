"""Describe the form that the content of a JSON or TOML file must have, and check it.

A form is declared once for each file (`run_forms.py`). Its readers then rely on it: a value of another form is an error
that names the field. Keys that a form does not name are allowed, since a newer version may write them.

These are about a hundred lines of plain Python. The libraries for this (pydantic, jsonschema, msgspec) would be a new
dependency of a package that has none like them, take longer to import than most commands take to run, and would not do
the other half of the work: limits of size and depth, and messages for people.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from reprlib import Repr
from typing import Any, Final, Protocol

_REPR: Final = Repr()
_REPR.maxstring = _REPR.maxother = 60
_REPR.maxlevel = 2

# The number of characters of a key that a message shows.
_KEY_LETTERS: Final = 40


class FormError(ValueError):
    """Report a value that has another form than declared; the text is "field must be …, not …", without a full stop."""


class Form(Protocol):
    """The form of a value. `str(form)` says it in words, such as "a number from 0 to 1"."""

    def read(self, value: Any, at: str = "") -> Any:
        """Return the value as readers receive it. Raises FormError that names the field `at`, if the form is wrong."""


def _wrong(form: Form, value: Any, at: str) -> FormError:
    return FormError(f"{at or 'the content'} must be {form}, not {_REPR.repr(value)}")


def _inside(at: str, key: str) -> str:
    """Return the field of a key in the table `at`. A key that would spoil a message is shown as Python shows it."""
    shown = key if key.isprintable() and key and len(key) <= _KEY_LETTERS else repr(key[:_KEY_LETTERS])
    return f"{at}.{shown}" if at else shown


@dataclass(frozen=True)
class Anything:
    """Any value."""

    def __str__(self) -> str:
        return "a value"

    def read(self, value: Any, at: str = "") -> Any:
        """Return the value."""
        return value


@dataclass(frozen=True)
class Nothing:
    """The value null."""

    def __str__(self) -> str:
        return "null"

    def read(self, value: Any, at: str = "") -> None:
        """Return None."""
        if value is not None:
            raise _wrong(self, value, at)


@dataclass(frozen=True)
class Truth:
    """The value true or false."""

    def __str__(self) -> str:
        return "true or false"

    def read(self, value: Any, at: str = "") -> bool:
        """Return the value."""
        if not isinstance(value, bool):
            raise _wrong(self, value, at)
        return value


@dataclass(frozen=True)
class Number:
    """A finite number from `low` to `high`, both included."""

    low: float = -math.inf
    high: float = math.inf
    whole: bool = False

    def __str__(self) -> str:
        low = f" from {self.low:g}" if math.isfinite(self.low) else ""
        high = f" to {self.high:g}" if math.isfinite(self.high) else ""
        return f"a {'whole ' * self.whole}number{low}{high}"

    def read(self, value: Any, at: str = "") -> float:
        """Return the number."""
        if type(value) is not int and (self.whole or type(value) is not float):  # a bool is an int in Python
            raise _wrong(self, value, at)
        if not self.low <= value <= self.high or math.isinf(value):
            raise _wrong(self, value, at)
        return value


@dataclass(frozen=True)
class Text:
    """A text, or one of some texts."""

    choices: tuple[str, ...] = ()

    def __str__(self) -> str:
        return " or ".join(f"'{choice}'" for choice in self.choices) or "a string"

    def read(self, value: Any, at: str = "") -> str:
        """Return the text."""
        if not isinstance(value, str) or (self.choices and value not in self.choices):
            raise _wrong(self, value, at)
        return value


@dataclass(frozen=True)
class Items:
    """A list of values of one form."""

    form: Form
    least: int = 0

    def __str__(self) -> str:
        return f"a list of at least {self.least}" if self.least else "a list"

    def read(self, value: Any, at: str = "") -> list[Any]:
        """Return the list, each value as its form reads it."""
        if not isinstance(value, list) or len(value) < self.least:
            raise _wrong(self, value, at)
        return [self.form.read(item, f"{at}[{position}]") for position, item in enumerate(value)]


@dataclass(frozen=True)
class Table:
    """A mapping of keys to values.

    Attributes:
        required: the keys that must be there, with the form of their values
        optional: the keys that may be missing
        others: the form of the values of all other keys
        renamed: the current names of keys by those of older versions; readers receive the current ones
    """

    required: Mapping[str, Form] = field(default_factory=dict)
    optional: Mapping[str, Form] = field(default_factory=dict)
    others: Form = Anything()
    renamed: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return "a table"

    def read(self, value: Any, at: str = "") -> dict[str, Any]:
        """Return the table, each value as its form reads it."""
        if not isinstance(value, dict):
            raise _wrong(self, value, at)
        content = {}
        for key, item in value.items():
            name = self.renamed.get(key, key)
            form = self.required.get(name) or self.optional.get(name) or self.others
            content[name] = form.read(item, _inside(at, key))
        if missing := [_inside(at, name) for name in self.required if name not in content]:
            raise FormError(f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing")
        return content


@dataclass(frozen=True, init=False)
class OneOf:
    """A value of one of several forms, which differ in the type of their values."""

    forms: tuple[Form, ...]

    def __init__(self, *forms: Form) -> None:
        object.__setattr__(self, "forms", forms)

    def __str__(self) -> str:
        *first, last = map(str, self.forms)
        return f"{', '.join(first)} or {last}"

    def read(self, value: Any, at: str = "") -> Any:
        """Return the value as the first form that it has reads it."""
        errors = []
        for form in self.forms:
            try:
                return form.read(value, at)
            except FormError as error:
                errors.append(error)
        # An error inside a table or a list says more than "must be a table or null".
        own = str(_wrong(self, value, at)).partition(" must")[0]
        raise next((e for e in errors if not str(e).startswith(f"{own} must")), _wrong(self, value, at))
