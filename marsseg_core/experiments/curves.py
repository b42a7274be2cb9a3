"""The curves of a run, as the script of a page reads them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias

# Columns of the history that are no curves to compare.
_NO_CURVES: Final = ("epoch", "seconds")
_DIGITS: Final = 5

History: TypeAlias = Sequence[Mapping[str, float | None]]


def curves_of(history: History) -> dict[str, list[float | None]]:
    """Return the values of each curve by its name: one for each epoch, None where it is missing or not finite."""
    columns = dict.fromkeys(name for row in history for name in row if name not in _NO_CURVES)
    return {name: [rounded(row.get(name)) for row in history] for name in columns}


def rounded(value: float | None, digits: int = _DIGITS) -> float | None:
    """Return a value with few digits, for a small page; None for NaN and infinity, which are no JSON."""
    return None if value is None or not abs(value) < float("inf") else float(f"{value:.{digits}g}")
