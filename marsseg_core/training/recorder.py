"""Write the history, the network to keep and the checkpoint after each epoch."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import keras

from ..hooks import HookCaller
from ..messages import get_logger
from ..planning.options import LAST
from .checkpoint import TrainingProgress, callback_states
from .checkpointer import Checkpointer

if TYPE_CHECKING:
    from ..runs.run import Run

_logger = get_logger(__name__)


class RunRecorder(keras.callbacks.Callback):
    """Write history, network and checkpoint of a run, and call `marsseg_epoch_finished`.

    The network is the best one by `run.best_by`, or with `training.keep=last` that of each epoch in turn.

    The checkpoint is written last. If the process is killed before that, the resumed training repeats the epoch and
    writes the other files again. The network is one of them, even if its score is no longer the best: the stored one is
    of an epoch that the history does not have.
    """

    def __init__(
        self,
        run: Run,
        stateful: Sequence[keras.callbacks.Callback],
        hooks: HookCaller,
        checkpointer: Checkpointer,
    ) -> None:
        super().__init__()
        self._run = run
        self._stateful = stateful
        self._checkpointer = checkpointer
        self._hooks = hooks
        self._best_score: float | None = None
        self._network_hash: str | None = None
        self._network_is_newer = False
        self._rises = run.plan.metrics.rises(run.best_by)

    def restore(self, progress: TrainingProgress) -> None:
        """Set history and best score to those of a checkpoint, so that only a better network replaces the best one."""
        self._run.history[:] = progress.history
        self._run.best_epoch, self._best_score = progress.best_epoch, progress.best_score
        self._network_hash = progress.network_hash
        self._network_is_newer = progress.network_hash not in (None, self._run.folder.network_hash())

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Write everything that belongs to this epoch."""
        run = self._run
        record = {"epoch": epoch + 1} | {name: _or_none(value) for name, value in logs.items()}
        run.history.append(record)
        score = record[run.best_by]
        # The first epoch's network is always stored, even if its score is undefined. With weight averaging, the first
        # averaged network is always stored too: the user requested an average, so no earlier network may stay the best.
        average = self.model.average
        is_first_average = average is not None and float(average.epochs) == 1
        always = run.plan.training.keep == LAST
        is_best = always or run.best_epoch is None or is_first_average or self._is_better(score)
        if is_best or self._network_is_newer:
            if not is_best:
                _logger.warning(
                    f"Epoch {epoch + 1} is repeated with another result. Its network replaces that of the best epoch, "
                    f"{run.best_epoch}, which was lost when the run was killed."
                )
            run.best_epoch, self._best_score = epoch + 1, score
            with run.folder.written(run.folder.network) as temporary, self.model.averaged():
                run.network.save(temporary)
            self._network_hash, self._network_is_newer = run.folder.network_hash(), False
        run.folder.write_history(run.history)
        states = callback_states(self._stateful)
        progress = TrainingProgress(
            epoch + 1, run.history, run.best_epoch, self._best_score, states, run.best_by, self._network_hash
        )
        self._checkpointer.save(self.model, progress)
        run.folder.log(_epoch_line(record, run.plan.training.epochs))
        # Observers receive a copy: a key that they add or remove would otherwise break the next row of the history.
        self._hooks("marsseg_epoch_finished", run=run, record=dict(record))

    def _is_better(self, score: float | None) -> bool:
        if score is None or self._best_score is None:
            return score is not None
        return score > self._best_score if self._rises else score < self._best_score


def _or_none(value: Any) -> float | None:
    return float(value) if math.isfinite(value) else None


def _epoch_line(record: Mapping[str, float | None], epochs: int) -> str:
    scores = " ".join(f"{name}={value:.5g}" for name, value in record.items() if name != "epoch" and value is not None)
    return f"epoch {record['epoch']}/{epochs} {scores}"
