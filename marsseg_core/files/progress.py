"""Show the progress of long operations: a bar on a terminal or in a notebook, else a line every ten seconds.

All but notebooks show it on standard error.
"""

from __future__ import annotations

import logging
import time
from contextlib import ExitStack
from typing import Final, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.text import Text

from ..messages import get_logger
from ..printable import printable
from ..shown import NotebookOutput
from .waiting import SILENT_SECONDS, on_terminal, waiting, waiting_for, without_spinner

LINE_SECONDS: Final = 10.0

# The time between two states of the bar in a notebook.
NOTEBOOK_SECONDS: Final = 0.5


class ProgressBar:
    """Show the progress of one operation. Call it with (done, total) whenever more is done.

    `doing` and `name` describe the operation, such as "Preparing" and "tiles.npz".
    """

    def __init__(self, doing: str, name: str) -> None:
        self._description = printable(f"{doing} {name}")
        self._console = Console(stderr=True)
        self._next_output = time.monotonic() + SILENT_SECONDS
        self._bar: Progress | None = None
        self._notebook = NotebookOutput() if NotebookOutput.is_possible() else None
        self._is_enabled = get_logger(__name__).isEnabledFor(logging.INFO)
        self._task = TaskID(0)
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self._stack.enter_context(waiting(self._description))
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()
        self._stack.close()
        if self._notebook is not None:
            self._notebook.clear()

    def __call__(self, done: float, total: int) -> None:
        """Show that `done` of `total` is done."""
        if self._bar is None and self._is_enabled and time.monotonic() >= self._next_output:
            if self._notebook is not None:
                share = f"{100 * done / total:.0f} % of {total:,}"
                self._notebook.show_progress([self._description, share], done, total)
                self._next_output = time.monotonic() + NOTEBOOK_SECONDS
            elif on_terminal():
                self._stack.close()
                self._stack.enter_context(without_spinner())
                self._bar = self._new_bar()
                self._task = self._bar.add_task(self._description, total=total)
                self._bar.start()
            else:
                self._console.print(
                    Text(f"{self._description}: {100 * done / total:.0f} % of {total:,}"), soft_wrap=True
                )
                self._next_output = time.monotonic() + LINE_SECONDS
        if self._bar is not None:
            self._bar.update(self._task, completed=done, total=total)

    def doing(self, words: str) -> None:
        """Say what is done now, from any thread: beside the bar, or as a message where there is no terminal."""
        if on_terminal():
            self._description = printable(words)
        if self._bar is None:
            waiting_for(words)
        else:
            self._bar.update(self._task, description=self._description)

    def _new_bar(self) -> Progress:
        percentage = TextColumn("{task.percentage:.0f} % of {task.total:,.0f}")
        description = TextColumn("{task.description}", markup=False)
        return Progress(
            description, BarColumn(), percentage, TimeRemainingColumn(), console=self._console, transient=True
        )
