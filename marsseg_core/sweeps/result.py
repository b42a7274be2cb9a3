"""What the Python interface returns of a sweep."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .folder import SweepFolder
from .summary import Summary, TrialRecord


@dataclass(frozen=True, repr=False)
class SweepResult:
    """A sweep, finished or interrupted.

    Attributes:
        path: The folder of the sweep. Its page `sweep.html` has plots.
        status: "finished", "interrupted", or "running" where other processes still work on it.
        objective: The metric that is optimised, on the validation subset.
        trials: The trials, in the order of their numbers. Each has its `state`, its `settings`, its `value` of the
            objective, and its scores on the `test` subset if it is one of the best.
        ranked: The finished trials, the best one first.
    """

    path: Path
    status: str
    objective: str
    trials: Sequence[TrialRecord]
    ranked: Sequence[TrialRecord]

    @classmethod
    def of(cls, path: Path, summary: Summary) -> SweepResult:
        """Return the result of a summary."""
        return cls(path, summary.status, summary.objective, tuple(summary.trials), tuple(summary.ranked))

    @property
    def best(self) -> TrialRecord | None:
        """Return the best trial; None if no trial is finished."""
        return self.ranked[0] if self.ranked else None

    @property
    def best_plan(self) -> Path | None:
        """Return the plan file of the best trial, to run it again: `marsseg.run(sweep.best_plan)`."""
        return SweepFolder(self.path).best if self.ranked else None

    @property
    def interrupted(self) -> bool:
        """Return whether the sweep was interrupted before it was finished."""
        return self.status == "interrupted"

    def run(self, trial: TrialRecord) -> Path:
        """Return the run folder of a trial, for `compare`, `predict` and `evaluate`.

        Args:
            trial: One of the trials.
        """
        return self.path / trial.name

    def __repr__(self) -> str:
        best = self.best
        line = f"SweepResult({str(self.path)!r}: {len(self.ranked)} of {len(self.trials)} trials finished)"
        return line if best is None else f"{line}\n  best: {best.name}, {self.objective} {best.value}"

    def __fspath__(self) -> str:
        return str(self.path)
