"""Scale the values of images to 0…255, and record the scaling.

Networks take uint8 images. A source may hold other numbers: integers of 10 to 16 bits, or floats. A single image does
not show their range. It is therefore determined once from the whole data set, stored with the data and with every run,
and applied again to all images that the run's network predicts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, Self, get_args

import numpy as np

# The kinds of numbers in a source: 8-bit values, integers of more bits, or floats.
Numbers = Literal["bytes", "integers", "floats"]
Per = Literal["set", "image"]


def numbers_of(dtype: np.dtype) -> Numbers:
    """Return which kind of numbers an array of this dtype holds.

    Args:
        dtype: the type of the array

    Returns:
        "bytes" for uint8, "integers" for all other integers and booleans, "floats" for floats.

    Raises:
        ValueError: if the dtype is not one of real numbers
    """
    if dtype == np.uint8:
        return "bytes"
    if dtype.kind in "iub":
        return "integers"
    if dtype.kind == "f":
        return "floats"
    raise ValueError(f"numbers are needed, not {dtype}")


def exact(number: float) -> str:
    """Return a short text that converts back to exactly this number."""
    return str(int(number)) if number == int(number) else repr(float(number))


@dataclass(frozen=True)
class Scaling:
    """Map values from `low` … `high` to 0 … 255: linearly, rounded, and clipped at both ends.

    Attributes:
        low: the value that becomes 0, or with `per="image"` the percentile
        high: the value that becomes 255, or with `per="image"` the percentile
        numbers: the kind of numbers that is scaled; other images are not changed (ignored with `per="image"`)
        per: "set" for one range for all images, "image" for percentiles of the values of each image

    Raises:
        ValueError: if `low` and `high` are not a valid range
    """

    low: float
    high: float
    numbers: Numbers = "integers"
    per: Per = "set"

    def __post_init__(self) -> None:
        if self.numbers not in get_args(Numbers) or self.per not in get_args(Per):
            raise ValueError(f"there is no scaling of {self.numbers!r} per {self.per!r}")
        if not (np.isfinite(self.low) and np.isfinite(self.high) and self.low < self.high):
            raise ValueError(f"a range has a lower and a higher end, not {self.low:g} and {self.high:g}")
        if self.per == "image" and not 0 <= self.low < self.high <= 100:
            raise ValueError(f"percentiles go from 0 to 100, not {self.low:g} and {self.high:g}")

    def __str__(self) -> str:
        if self.per == "image":
            return f"the percentiles {self.low:.10g} to {self.high:.10g} of each image are scaled to 0 to 255"
        what = {"bytes": "8-bit values", "integers": "whole numbers", "floats": "floats"}[self.numbers]
        return f"{what} from {self.low:.10g} to {self.high:.10g} are scaled to 0 to 255"

    @property
    def range_text(self) -> str:
        """Return the range that requests this scaling, as text for `Range.parse`."""
        if self.per == "image":
            return f"{exact(self.low)}%..{exact(self.high)}%"
        return f"{exact(self.low)}..{exact(self.high)}@{self.numbers}"

    def to_json(self) -> dict[str, Any]:
        """Return the scaling as a dictionary for `from_json`."""
        return {"low": self.low, "high": self.high, "numbers": self.numbers, "per": self.per}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any] | None) -> Self | None:
        """Restore a scaling from a dictionary.

        Args:
            stored: the dictionary of `to_json`, or None

        Returns:
            The scaling; None for None.

        Raises:
            ValueError: if the dictionary is not one of `to_json`
        """
        if stored is None:
            return None
        try:
            return cls(float(stored["low"]), float(stored["high"]), stored["numbers"], stored["per"])
        except (KeyError, TypeError) as cause:
            raise ValueError(f"this is not a scaling: {stored!r}") from cause


# 16 bits over their whole range, as runs scaled images before they stored a scaling.
SIXTEEN_BITS: Final = Scaling(0, 65535, "integers")


def scaled_values(values: np.ndarray, low: float, high: float) -> tuple[np.ndarray, int]:
    """Return the values scaled from `low` … `high` to 0 … 255 as uint8, and the number of values that were clipped."""
    outside = int(np.count_nonzero((values < low) | (values > high)))
    # All are halved first: the difference of two floats can be too large for a float.
    relative = (values.astype(np.float64) / 2 - low / 2) / (high / 2 - low / 2)
    return np.rint(255 * np.clip(relative, 0, 1)).astype(np.uint8), outside
