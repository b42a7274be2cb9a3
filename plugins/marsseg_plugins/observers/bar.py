"""A live progress bar in the terminal."""

from __future__ import annotations

from typing import Any

import keras
from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.text import Text

from marsseg_core.plugin_api import Run

from .score_text import number, scores


class EpochBar(keras.callbacks.Callback):
    """Show the epoch, a bar, the running loss and the remaining time, and below them the last and the best scores."""

    def __init__(self, run: Run, console: Console) -> None:
        super().__init__()
        self._run = run
        self._steps = run.steps_per_epoch
        self._epochs = run.plan.training.epochs
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
        self._scores = Text("")
        self._live = Live(Group(self._progress, self._scores), console=console, refresh_per_second=4)

    def on_train_begin(self, logs: Any = None) -> None:
        self._live.start()

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._progress.update(self._bar, description=f"epoch {epoch + 1}/{self._epochs}", completed=epoch * self._steps)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self._progress.update(self._bar, advance=1, loss=number(float(logs["loss"])))

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        name = self._run.best_by.removeprefix("val_")
        best = f"; best {name} in epoch {self._run.best_epoch}" if self._run.best_epoch else ""
        self._scores.plain = f"{scores(logs, self._run.best_by)}{best}"

    def on_train_end(self, logs: Any = None) -> None:
        self._live.stop()
