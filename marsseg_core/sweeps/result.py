"""What the Python interface returns of a sweep."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import shorten
from typing import Final

from ..shown import HtmlRepr
from .folder import SweepFolder
from .summary import Summary, TrialRecord

# The trials that the text of a sweep has.
_REPR_TRIALS: Final = 8


@dataclass(frozen=True, repr=False)
class SweepResult(HtmlRepr):
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

    @property
    def summary(self) -> str:
        """Return the status and the number of finished trials in one line."""
        return (
            f"{self.status}, {len(self.ranked):,} of {len(self.trials):,} trials finished, ranked by {self.objective}"
        )

    def __repr__(self) -> str:
        lines = [f"SweepResult({str(self.path)!r}: {self.summary})"]
        for trial in self.ranked[:_REPR_TRIALS]:
            settings = ", ".join(f"{name}={value}" for name, value in trial.settings.items())
            lines.append(
                f"  {trial.name}  {self.objective} {trial.value:.4f}  {shorten(settings, 80, placeholder=' …')}"
            )
        more = len(self.ranked) - _REPR_TRIALS
        return "\n".join([*lines, *([f"  and {more:,} more"] if more > 0 else [])])

    def __fspath__(self) -> str:
        return str(self.path)
