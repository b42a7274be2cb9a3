"""The mean and the spread of scores over runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any


@dataclass(frozen=True)
class Spread:
    """Mean and sample standard deviation (n − 1 in its denominator; None for one value) of n values."""

    mean: float
    std: float | None
    n: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        return cls(fmean(values), stdev(values) if len(values) > 1 else None, len(values))

    def __str__(self) -> str:
        return f"{self.mean:.4f}" if self.std is None else f"{self.mean:.4f} ± {self.std:.4f}"

    def to_json(self) -> dict[str, Any]:
        return {"mean": self.mean, "std": self.std, "n": self.n}


def spreads(scores: Sequence[Mapping[str, float | None]]) -> dict[str, Spread | None]:
    """The spread of each score over the runs where it is defined; None where it is in none."""
    names = dict.fromkeys(name for one in scores for name in one)
    defined = {name: [value for one in scores if (value := one.get(name)) is not None] for name in names}
    return {name: Spread.of(values) if values else None for name, values in defined.items()}
