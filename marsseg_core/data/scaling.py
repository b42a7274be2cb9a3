"""How the values of images become 0…255: the record of it.

Networks see uint8. A source may hold other numbers: whole ones of 10 to 16 bits, or floats. What their range is cannot
be seen in one image, so it is found once from the whole set, kept with the data and with every run, and applied again
to whatever the run's network is shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, Self, get_args

import numpy as np

# What numbers a source holds: 8 bits, whole numbers of more, or floating point.
Numbers = Literal["bytes", "integers", "floats"]
Per = Literal["set", "image"]


def numbers_of(dtype: np.dtype) -> Numbers:
    """Tell what an array of this type holds: bytes (8 bits), integers of more, or floats.

    Raises:
        ValueError: for what is no real number
    """
    if dtype == np.uint8:
        return "bytes"
    if dtype.kind in "iub":
        return "integers"
    if dtype.kind == "f":
        return "floats"
    raise ValueError(f"numbers are needed, not {dtype}")


def exact(number: float) -> str:
    """A number as short text that gives the same number again."""
    return str(int(number)) if number == int(number) else repr(float(number))


@dataclass(frozen=True)
class Scaling:
    """Say that values from `low` to `high` become 0 to 255: in proportion, rounded, and cut off at both ends.

    Per set, `low` and `high` are values, and the scaling is for `numbers` alone: images of 8 bits, for example, are
    left as they are by a scaling of integers. Per image they are percentiles of each image's own values, whatever
    numbers these are.

    Raises:
        ValueError: where the ends are no range
    """

    low: float
    high: float
    numbers: Numbers = "integers"
    per: Per = "set"

    def __post_init__(self) -> None:
        if self.numbers not in get_args(Numbers) or self.per not in get_args(Per):
            raise ValueError(f"there is no scaling of {self.numbers!r} per {self.per!r}")
        if not (np.isfinite(self.low) and np.isfinite(self.high) and self.low < self.high):
            raise ValueError(f"a range needs a lower and a higher end, not {self.low:g} and {self.high:g}")
        if self.per == "image" and not 0 <= self.low < self.high <= 100:
            raise ValueError(f"percentiles are 0 to 100, not {self.low:g} and {self.high:g}")

    def __str__(self) -> str:
        if self.per == "image":
            return f"the percentiles {self.low:.10g} to {self.high:.10g} of each image are seen as 0 to 255"
        what = {"bytes": "8-bit values", "integers": "whole numbers", "floats": "floats"}[self.numbers]
        return f"{what} from {self.low:.10g} to {self.high:.10g} are seen as 0 to 255"

    @property
    def range_text(self) -> str:
        """Give the range that asks for this scaling, as `Range.parse` reads it."""
        if self.per == "image":
            return f"{exact(self.low)}%..{exact(self.high)}%"
        return f"{exact(self.low)}..{exact(self.high)}@{self.numbers}"

    def to_json(self) -> dict[str, Any]:
        return {"low": self.low, "high": self.high, "numbers": self.numbers, "per": self.per}

    @classmethod
    def from_json(cls, kept: Mapping[str, Any] | None) -> Self | None:
        """Read the scaling that was kept; None where it was none.

        Raises:
            ValueError: for what `to_json` does not give
        """
        if kept is None:
            return None
        try:
            return cls(float(kept["low"]), float(kept["high"]), kept["numbers"], kept["per"])
        except (KeyError, TypeError) as cause:
            raise ValueError(f"no scaling is written like this: {kept!r}") from cause


# Sixteen bits over their whole range: what runs did before they kept a scaling.
SIXTEEN_BITS: Final = Scaling(0, 65535, "integers")


def scaled_values(values: np.ndarray, low: float, high: float) -> tuple[np.ndarray, int]:
    """Values with `low` → 0 and `high` → 255 as uint8, rounded and cut off; and how many were cut off."""
    outside = int(np.count_nonzero((values < low) | (values > high)))
    # Halved first: the span of two floats may be beyond what a float holds.
    place = (values.astype(np.float64) / 2 - low / 2) / (high / 2 - low / 2)
    return np.rint(255 * np.clip(place, 0, 1)).astype(np.uint8), outside
