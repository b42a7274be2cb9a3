"""The mean and the standard deviation of scores over runs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any


@dataclass(frozen=True)
class Spread:
    """The mean and the sample standard deviation of n values.

    The denominator of the standard deviation is n − 1; it is None for a single value.
    """

    mean: float
    std: float | None
    n: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Compute the spread of at least one value."""
        return cls(fmean(values), stdev(values) if len(values) > 1 else None, len(values))

    def __str__(self) -> str:
        return f"{self.mean:z.4f}" if self.std is None else f"{self.mean:z.4f} ± {self.std:z.4f}"

    def to_json(self) -> dict[str, Any]:
        """Return the spread as it is written to JSON."""
        return {"mean": self.mean, "std": self.std, "n": self.n}


def spread_over_folds(values: Iterable[tuple[str, float]]) -> Spread:
    """Return the spread from which the interval of a mean follows, for values that each have a fold.

    Runs of one fold are scored on the same items, whatever their seeds, so their values are not independent. Where
    there are several folds, each counts once, with its mean. On one fold, or without folds, it is the seeds that count.
    """
    by_fold: dict[str, list[float]] = defaultdict(list)
    for fold, value in values:
        by_fold[fold].append(value)
    folds = [*by_fold.values()]
    return Spread.of([*map(fmean, folds)] if len(folds) > 1 else folds[0])


def spreads(scores: Sequence[Mapping[str, float | None]]) -> dict[str, Spread | None]:
    """Return the spread of each score over the runs where it is defined; None for a score that no run defines.

    `scores` has, for each run, its scores by name.
    """
    names = dict.fromkeys(name for run_scores in scores for name in run_scores)
    defined = {name: [value for run_scores in scores if (value := run_scores.get(name)) is not None] for name in names}
    return {name: Spread.of(values) if values else None for name, values in defined.items()}
