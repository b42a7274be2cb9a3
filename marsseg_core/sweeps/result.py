"""What the Python interface returns of a sweep and of an ablation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import shorten
from typing import Final

from ..experiments.ablation import Ablation, CombinationScore, Effect
from ..experiments.ablation_tables import interval_text
from ..shown import HtmlRepr
from .folder import SweepFolder
from .summary import Summary, TrialRecord

# The number of trials or effects in a `repr`.
_REPR_LINES: Final = 8


@dataclass(frozen=True, repr=False)
class TrialsResult(HtmlRepr):
    """What sweeps and ablations have in common: a folder with trials."""

    path: Path
    status: str
    trials: Sequence[TrialRecord]

    @property
    def interrupted(self) -> bool:
        """Return whether it was interrupted before it was finished."""
        return self.status == "interrupted"

    def run(self, trial: TrialRecord) -> Path:
        """Return the run folder of a trial, for `compare`, `predict` and `evaluate`.

        Args:
            trial: One of the trials.
        """
        return self.path / trial.name

    def __fspath__(self) -> str:
        return str(self.path)


@dataclass(frozen=True, repr=False)
class SweepResult(TrialsResult):
    """A sweep, finished or interrupted.

    Attributes:
        path: The folder of the sweep. Its page `sweep.html` has plots.
        status: "finished", "interrupted", or "running" where other processes still work on it.
        trials: The trials, in the order of their numbers. Each has its `state`, its `settings`, its `value` of the
            objective, and its scores on the `test` subset if it is one of the best.
        objective: The metric that is optimised, on the validation subset.
        ranked: The finished trials, the best one first.
    """

    objective: str
    ranked: Sequence[TrialRecord]

    @classmethod
    def of(cls, path: Path, summary: Summary) -> SweepResult:
        """Return the result of a summary."""
        return cls(path, summary.status, tuple(summary.trials), summary.objective, tuple(summary.ranked))

    @property
    def best(self) -> TrialRecord | None:
        """Return the best trial; None if no trial is finished."""
        return self.ranked[0] if self.ranked else None

    @property
    def best_plan(self) -> Path | None:
        """Return the plan file of the best trial, to run it again: `marsseg.run(sweep.best_plan)`."""
        return SweepFolder(self.path).best if self.ranked else None

    @property
    def summary(self) -> str:
        """Return the status and the number of finished trials in one line."""
        return (
            f"{self.status}, {len(self.ranked):,} of {len(self.trials):,} trials finished, ranked by {self.objective}"
        )

    def __repr__(self) -> str:
        lines = [f"SweepResult({str(self.path)!r}: {self.summary})"]
        for trial in self.ranked[:_REPR_LINES]:
            settings = ", ".join(f"{name}={value}" for name, value in trial.shown_settings.items())
            lines.append(
                f"  {trial.name}  {self.objective} {trial.value:z.4f}  {shorten(settings, 80, placeholder=' …')}"
            )
        more = len(self.ranked) - _REPR_LINES
        return "\n".join([*lines, *([f"  and {more:,} more"] if more > 0 else [])])


@dataclass(frozen=True, repr=False)
class AblationResult(TrialsResult):
    """An ablation, finished or interrupted.

    Attributes:
        path: The folder of the ablation. Its page `ablation.html` has the plot and all tables.
        status: "finished", "interrupted", or "running" where other processes still work on it.
        trials: The trials, in the order of their numbers. Each has its `state` and its `settings`.
        scores: The results for each score by its name, such as `ablation.scores["iou_soil"].effects`; the requested
            score is the first. Empty if the ablation was interrupted.
    """

    scores: Mapping[str, Ablation]

    @classmethod
    def of(cls, path: Path, summary: Summary, results: Sequence[Ablation]) -> AblationResult:
        """Return the result of a summary and of what was computed from its runs."""
        return cls(path, summary.status, tuple(summary.trials), {each.by: each for each in results})

    @property
    def effects(self) -> Sequence[Effect]:
        """Return the effects on the requested score.

        Each has the `setting`, the `choice` and its `baseline`, the `mean` difference and its 95 % `interval`.
        """
        return () if self._first is None else self._first.effects

    @property
    def combinations(self) -> Sequence[CombinationScore]:
        """Return the requested score of each combination: its `settings`, the `spread` and the `values`."""
        return () if self._first is None else self._first.combinations

    @property
    def missing(self) -> Sequence[tuple[Path, str]]:
        """Return the runs without the requested score, each with the reason."""
        return () if self._first is None else self._first.missing

    @property
    def note(self) -> str:
        """Return what must be said with the effects: which are of transductive runs. Empty if none is."""
        return "" if self._first is None else self._first.note

    @property
    def _first(self) -> Ablation | None:
        return next(iter(self.scores.values()), None)

    @property
    def summary(self) -> str:
        """Return the status and the number of finished trials in one line."""
        finished = sum(trial.state == "finished" for trial in self.trials)
        return f"{self.status}, {finished:,} of {len(self.trials):,} trials finished"

    def __repr__(self) -> str:
        lines = [f"AblationResult({str(self.path)!r}: {self.summary})"]
        for effect in self.effects[:_REPR_LINES]:
            mean = "" if effect.mean is None else f"{effect.mean:+.4f}, "
            change = f"{effect.setting}: {effect.choice} instead of {effect.baseline}"
            lines.append(f"  {change}: {mean}{interval_text(effect)}")
        more = len(self.effects) - _REPR_LINES
        return "\n".join([*lines, *([f"  and {more} more"] if more > 0 else [])])
