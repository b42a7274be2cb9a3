"""Describe what is measured: a function of an input that can be made at any size."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Case:
    """Hold one measured function.

    Attributes:
        name: what is measured
        unit: what is doubled
        sizes: the numbers of them, each twice the one before
        prepare: makes an input of a size in an empty folder, and returns the function to measure
    """

    name: str
    unit: str
    sizes: tuple[int, ...]
    prepare: Callable[[int, Path], Callable[[], object]]


def doubled(last: int, count: int = 5) -> tuple[int, ...]:
    """Return `count` sizes that end with `last`, each twice the one before.

    >>> doubled(1000, 4)
    (125, 250, 500, 1000)
    """
    return tuple(last >> step for step in reversed(range(count)))
