"""End trials early whose metric falls behind that of others, by Optuna's pruners."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..hooks import hookimpl
from .optional import import_optuna
from .study import make_pruner, open_study

if TYPE_CHECKING:
    from ..runs.run import Run


class TrialReporter:
    """An observer that reports the metric of each epoch to the study, and interrupts a run that is to be pruned.

    So a pruned trial is an interrupted run: its best network is stored and scored, and it can be resumed.

    Args:
        journal: the journal of the study
        trial_id: the identity of the trial in it
        pruner: the name of the pruner
        epochs: the epochs of a run that is not pruned
    """

    def __init__(self, journal: str, trial_id: int, pruner: str, epochs: int) -> None:
        study = open_study(Path(journal), pruner=make_pruner(pruner, epochs))
        self._trial = import_optuna().trial.Trial(study, trial_id)
        self.pruned = False

    @hookimpl
    def marsseg_epoch_finished(self, run: Run, record: Mapping[str, float | None]) -> None:
        """Report an epoch, and interrupt the run if the pruner says so."""
        value: Any = record.get(run.best_by)
        if value is None:
            return
        self._trial.report(value, step=int(record["epoch"] or 0))
        if self._trial.should_prune():
            self.pruned = True
            raise KeyboardInterrupt
