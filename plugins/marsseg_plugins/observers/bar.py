"""A live progress bar in the terminal."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import keras
from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.text import Text

from marsseg_core.plugin_api import Run, without_spinner

from .first_step import COMPILING
from .score_text import number, scores_and_best


class EpochBar(keras.callbacks.Callback):
    """Show the epoch, a bar, the running loss and the remaining time, and below them the last and the best scores.

    The bar stays when the training ends, and goes if it is interrupted or fails.
    """

    def __init__(self, run: Run, console: Console) -> None:
        super().__init__()
        self._run = run
        self._steps = run.steps_per_epoch
        self._epochs = run.plan.training.epochs
        self._epoch = 0
        self._ended = 0
        self._alone = ExitStack()
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("loss {task.fields[loss]}"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=console,
        )
        self._bar = self._progress.add_task(f"epoch 1/{self._epochs}", total=self._steps * self._epochs, loss="–")
        self._scores = Text(COMPILING)
        self._live = Live(Group(self._progress, self._scores), console=console, refresh_per_second=4)

    def on_train_begin(self, logs: Any = None) -> None:
        self._alone.enter_context(without_spinner())
        self._live.start()

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._describe("epoch", epoch)
        self._progress.update(self._bar, completed=epoch * self._steps)
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if self._scores.plain == COMPILING:
            self._scores.plain = ""
        self._progress.update(self._bar, advance=1, loss=number(float(logs["loss"])))
        if batch + 1 == self._steps:
            self._describe("scoring", self._epoch)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self._scores.plain = scores_and_best(logs, self._run)
        self._describe("epoch", epoch)
        self._ended = epoch + 1

    def on_train_end(self, logs: Any = None) -> None:
        # Only an interruption or an error ends the training before the last epoch without this request.
        self._live.transient = self._ended < self._epochs and not self.model.stop_training
        self._live.stop()
        self._alone.close()

    def _describe(self, doing: str, epoch: int) -> None:
        self._progress.update(self._bar, description=f"{doing} {epoch + 1}/{self._epochs}")
