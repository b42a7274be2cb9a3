"""A progress bar in a notebook."""

from __future__ import annotations

import time
from typing import Any, Final

import keras

from marsseg_core.plugin_api import NotebookOutput, Run

from .first_step import COMPILING
from .score_text import number, scores_and_best

# The time between two states of the bar.
_SECONDS: Final = 0.5


class NotebookBar(keras.callbacks.Callback):
    """Show the run, a bar, the epoch with its loss and the remaining time, and the last and the best scores."""

    def __init__(self, run: Run, heading: str) -> None:
        super().__init__()
        self._run = run
        self._heading = heading
        self._output = NotebookOutput()
        self._epochs = run.plan.training.epochs
        self._total = run.steps_per_epoch * self._epochs
        self._begin: float | None = None
        self._first_step = self._step = 0
        self._next_output = 0.0
        self._epoch = ""
        self._scores = COMPILING

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._step = epoch * self._run.steps_per_epoch
        if self._begin is None:  # a resumed run begins at a later epoch
            self._begin, self._first_step = time.monotonic(), self._step
        self._epoch = f"epoch {epoch + 1}/{self._epochs}"
        self._show(self._epoch)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self._step += 1
        if self._scores == COMPILING:
            self._scores = ""
        if time.monotonic() >= self._next_output:
            self._show(f"{self._epoch}, loss {number(float(logs['loss']))}, {self._times()}")

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self._scores = scores_and_best(logs, self._run)
        self._show(f"{self._epoch}, loss {number(logs['loss'])}, {self._times()}")

    def _times(self) -> str:
        seconds = time.monotonic() - (self._begin or time.monotonic())
        left = seconds / max(1, self._step - self._first_step) * (self._total - self._step)
        return f"{_duration(seconds)}, {_duration(left)} left" if left else _duration(seconds)

    def _show(self, line: str) -> None:
        self._next_output = time.monotonic() + _SECONDS
        self._output.show_progress([self._heading, line, *filter(None, [self._scores])], self._step, self._total)


def _duration(seconds: float) -> str:
    """Return a duration in hours, minutes and seconds.

    >>> _duration(3725.4)
    '1:02:05'
    """
    minutes, whole = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{whole:02}" if hours else f"{minutes}:{whole:02}"
