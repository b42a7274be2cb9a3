"""Parse the values that a setting takes in a sweep: choices such as `0.25,0.5`, or a range such as `1e-4..1e-2`."""

from __future__ import annotations

import math
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias, get_args, get_origin

from ..errors import RequestError
from ..registry.parameters import Parameter, Value, to_text

# A range is logarithmic if its end is at least this many times its start.
_DECADE = 10

_RANGE = re.compile(r"(?P<low>[^.].*?|\.\d.*?)\.\.(?P<high>[^:]+?)(?::(?P<scale>log|linear))?")


@dataclass(frozen=True)
class Choices:
    """Values of which each trial takes one."""

    values: tuple[Value, ...]

    @property
    def count(self) -> int:
        """Return the number of values."""
        return len(self.values)

    def draw(self, generator: random.Random) -> Value:
        """Draw one of the values, each with the same probability."""
        return generator.choice(self.values)

    def __str__(self) -> str:
        return " | ".join(map(to_text, self.values))


@dataclass(frozen=True)
class Range:
    """All numbers from `low` to `high`, both included.

    Attributes:
        low: the smallest number
        high: the largest number
        integer: whether only whole numbers are taken
        log: whether each factor has the same probability, and not each difference
    """

    low: float
    high: float
    integer: bool
    log: bool

    @property
    def count(self) -> int | None:
        """Return the number of values; None if they are not countable."""
        return int(self.high) - int(self.low) + 1 if self.integer else None

    @property
    def values(self) -> Sequence[int]:
        """Return the values of a range of whole numbers."""
        return range(int(self.low), int(self.high) + 1)

    def draw(self, generator: random.Random) -> int | float:
        """Draw a number. It has six significant digits, so that it can be read."""
        margin = 0.5 if self.integer else 0.0  # so that the first and the last number are as probable as the others
        low, high = self.low - margin, self.high + margin
        number = (
            math.exp(generator.uniform(math.log(low), math.log(high))) if self.log else generator.uniform(low, high)
        )
        number = min(max(number, self.low), self.high)
        return round(number) if self.integer else min(max(float(f"{number:.6g}"), self.low), self.high)

    def __str__(self) -> str:
        kind = ", ".join([*(["whole numbers"] if self.integer else []), *(["logarithmic"] if self.log else [])])
        return f"{to_text(self.low)}..{to_text(self.high)}" + (f" ({kind})" if kind else "")


Values: TypeAlias = Choices | Range


def parse_values(texts: Sequence[str], parameters: Sequence[Parameter], path: str) -> Values:
    """Parse the texts of all `--vary` of one setting.

    For a list, each text is one choice. For a scalar, commas separate choices, and `low..high` is a range. The values
    must be valid for each of `parameters`: the same setting of several components.

    Raises RequestError for a wrong value, or for a range beside other values.
    """
    where = f"--vary {path}={texts[0]}"
    ranges = [text for text in texts if _range_of(text, parameters)]
    if ranges and len(texts) > 1:
        raise RequestError(
            f"{path} has a range and other values.", where=where, hint="Use one range, or choices: A,B,C."
        )
    if ranges:
        return _range(ranges[0], parameters, path)
    whole = any(_is_list(parameter.type) for parameter in parameters)
    words = [word.strip() for text in texts for word in ([text] if whole else text.split(","))]
    values = [_converted(word, parameters, path) for word in words]
    return Choices(tuple({to_text(value): value for value in values}.values()))


def _range_of(text: str, parameters: Sequence[Parameter]) -> re.Match[str] | None:
    """Return the parts of a range; None for a text that is none, as that of a parameter without numbers."""
    numeric = all({int, float} & _types(parameter.type) for parameter in parameters)
    return _RANGE.fullmatch(text.strip()) if numeric else None


def _range(text: str, parameters: Sequence[Parameter], path: str) -> Range:
    found, where = _range_of(text, parameters), f"--vary {path}={text}"
    assert found is not None
    low, high = (_converted(found[end].strip(), parameters, path) for end in ("low", "high"))
    if not all(isinstance(end, int | float) and not isinstance(end, bool) for end in (low, high)):
        raise RequestError(f"The ends of the range {text} must be numbers.", where=where)
    assert isinstance(low, int | float)
    assert isinstance(high, int | float)
    if low >= high:
        raise RequestError(f"The range {text} does not rise.", where=where, hint="The form is LOW..HIGH.")
    integer = not any(float in _types(parameter.type) for parameter in parameters)
    log = found["scale"] == "log" or (found["scale"] is None and low > 0 and high >= _DECADE * low)
    if log and low <= 0:
        raise RequestError(f"A logarithmic range begins above 0, not at {to_text(low)}.", where=where)
    return Range(low, high, integer, log)


def _converted(word: str, parameters: Sequence[Parameter], path: str) -> Value:
    for parameter in parameters:
        try:
            value = parameter.convert(word)
        except ValueError as expected:
            raise RequestError(
                f"{path}={word} is not valid: expected {expected}.",
                where=f"--vary {path}",
                hint=f"{parameter.name}: {parameter.help}." if parameter.help else None,
            ) from expected
    return value


def _types(annotation: object) -> set[object]:
    """Return a type, or the members of a union."""
    members = get_args(annotation)
    return {annotation} if get_origin(annotation) is tuple or not members else {*members}


def _is_list(annotation: object) -> bool:
    return any(get_origin(member) is tuple for member in _types(annotation))
