"""How far something long is, on standard error: a bar on a terminal, elsewhere a line every some seconds."""

from __future__ import annotations

import logging
import time
from typing import Final, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.text import Text

from ..messages import get_logger

# What is done sooner is not spoken of.
SILENT_SECONDS: Final = 1.0
LINE_SECONDS: Final = 10.0


class ProgressBar:
    """Called with (done, total) whenever some more is done; `doing` and `name` say what: "Preparing", "tiles.npz"."""

    def __init__(self, doing: str, name: str) -> None:
        self._what = f"{doing} {name}"
        self._console = Console(stderr=True)
        self._next = time.monotonic() + SILENT_SECONDS
        self._bar: Progress | None = None
        self._is_wanted = get_logger(__name__).isEnabledFor(logging.INFO)
        self._task = TaskID(0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, done: float, total: int) -> None:
        if self._bar is None and self._is_wanted and time.monotonic() >= self._next:
            if self._console.is_terminal:
                self._bar = self._new_bar()
                self._task = self._bar.add_task(self._what, total=total)
                self._bar.start()
            else:
                self._console.print(Text(f"{self._what}: {100 * done / total:.0f} % of {total:,}"), soft_wrap=True)
                self._next = time.monotonic() + LINE_SECONDS
        if self._bar is not None:
            self._bar.update(self._task, completed=done, total=total)

    def _new_bar(self) -> Progress:
        counted = TextColumn("{task.percentage:.0f} % of {task.total:,.0f}")
        named = TextColumn("{task.description}", markup=False)
        return Progress(named, BarColumn(), counted, TimeRemainingColumn(), console=self._console, transient=True)
