"""The summary of a sweep: its trials with their states and scores."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from ..registry.parameters import to_text
from ..runs.transductive import transductive_sentence
from .folder import trial_name

State = Literal["running", "finished", "pruned", "failed", "skipped"]

# The states of Optuna's trials, by their names. A skipped trial has failed, too: it has the attribute "skipped".
_STATES: Final[Mapping[str, State]] = {
    "RUNNING": "running",
    "WAITING": "running",
    "COMPLETE": "finished",
    "PRUNED": "pruned",
    "FAIL": "failed",
}


@dataclass(frozen=True)
class TrialRecord:
    """One trial.

    Attributes:
        number: its number
        state: what became of it
        settings: the values of the settings that vary, as texts
        value: the objective on the validation subset; of a pruned trial, that of its last epoch
        epochs: the number of epochs; None if it is unknown
        processor_seconds: the processor time of the worker that ended it
        tries: how often it was begun or resumed
        reason: why it failed or was skipped
        test: the scores of the test subset by name, if the trial is reported
        transductive: whether the run learned from images of its validation and test subsets, without their labels
    """

    number: int
    state: State
    settings: Mapping[str, str]
    value: float | None = None
    epochs: int | None = None
    processor_seconds: float = 0.0
    tries: int = 0
    reason: str = ""
    test: Mapping[str, float | None] = field(default_factory=dict)
    transductive: bool = False

    @property
    def name(self) -> str:
        """Return the name of its run folder."""
        return trial_name(self.number)

    @property
    def shown_settings(self) -> dict[str, str]:
        """Return the settings as tables show them: drawn numbers with six digits."""
        return {name: _short(text) for name, text in self.settings.items()}

    @classmethod
    def of(cls, trial: Any, test: Mapping[str, float | None]) -> TrialRecord:
        """Return the record of one of Optuna's trials, with the scores of its test subset."""
        attributes = trial.user_attrs
        value = trial.value
        if value is None and trial.intermediate_values:
            value = trial.intermediate_values[max(trial.intermediate_values)]
        return cls(
            trial.number,
            "skipped" if "skipped" in attributes else _STATES[trial.state.name],
            attributes.get("settings", {}),
            value,
            attributes.get("epochs"),
            attributes.get("processor_seconds", 0.0),
            attributes.get("tries", 0),
            attributes.get("skipped") or attributes.get("error", ""),
            test,
            attributes.get("transductive", False),
        )

    def to_json(self) -> dict[str, Any]:
        """Return the trial as it is written to sweep.json."""
        return {
            "number": self.number,
            "run": self.name,
            "state": self.state,
            "value": self.value,
            "test": dict(self.test),
            "epochs": self.epochs,
            "processor_seconds": self.processor_seconds,
            "tries": self.tries,
            "reason": self.reason,
            **({"transductive": True} if self.transductive else {}),
            "settings": dict(self.settings),
        }


def transductive_trials(trials: Sequence[TrialRecord]) -> str:
    """Return what is to be said of the transductive ones of some trials; an empty text where there is none."""
    names = [trial.name for trial in trials if trial.transductive]
    return transductive_sentence("all trials" if 1 < len(names) == len(trials) else ", ".join(names))


@dataclass(frozen=True)
class Summary:
    """All trials of a sweep.

    Attributes:
        status: "running", "finished" or "interrupted"
        objective: the metric that is optimised, on the validation subset
        rises: whether higher is better
        trials: the trials, in the order of their numbers
    """

    status: str
    objective: str
    rises: bool
    trials: Sequence[TrialRecord]

    @property
    def ranked(self) -> list[TrialRecord]:
        """Return the finished trials, the best one first; of equal ones, the first."""
        finished = [trial for trial in self.trials if trial.state == "finished" and trial.value is not None]
        return sorted(finished, key=lambda trial: -(trial.value or 0.0) if self.rises else trial.value or 0.0)

    @property
    def counts(self) -> dict[str, int]:
        """Return the number of trials in each state."""
        return dict(Counter(trial.state for trial in self.trials))

    @property
    def text(self) -> str:
        """Return the number of trials in each state, in one line."""
        return ", ".join(f"{count} {state}" for state, count in self.counts.items()) or "no trials"

    def to_json(self) -> dict[str, Any]:
        """Return the summary as it is written to sweep.json."""
        best = self.ranked[0].name if self.ranked else None
        return {
            "schema": 1,
            "status": self.status,
            "objective": self.objective,
            "direction": "maximize" if self.rises else "minimize",
            "best": best,
            "counts": self.counts,
            "trials": [trial.to_json() for trial in self.trials],
        }

    def to_csv(self) -> str:
        """Return the trials as the text of a CSV file; settings that play no part in a trial are empty."""
        names = dict.fromkeys(name for trial in self.trials for name in trial.settings)
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        more = ["transductive"] if any(trial.transductive for trial in self.trials) else []
        writer.writerow(["trial", "state", self.objective, "epochs", "processor_seconds", *more, *names, "reason"])
        for trial in self.trials:
            settings = [trial.settings.get(name) for name in names]
            facts = [trial.name, trial.state, trial.value, trial.epochs, trial.processor_seconds]
            facts += [to_text(trial.transductive) for _ in more]
            writer.writerow([*facts, *settings, trial.reason])
        return text.getvalue()


def _short(text: str) -> str:
    """Return the text of a number with at most six digits; any other text as it is."""
    try:
        return min(text, f"{float(text):.6g}", key=len) if "." in text else text
    except ValueError:
        return text
