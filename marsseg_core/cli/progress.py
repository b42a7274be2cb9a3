"""Progress of a command on standard error: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from rich.console import Console

from .output import say

# What is said where there is no terminal: a line for each such part of the whole.
_LINES: Final = 10


@contextmanager
def progress(what: str, total: int) -> Iterator[Callable[[float], None]]:
    """A function that adds to what is done of `total`, in units or parts of one; `what` names the units."""
    console = Console(stderr=True)
    if console.is_terminal:
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

        columns = (
            TextColumn("{task.completed:.0f} of {task.total:.0f} {task.description}"),
            BarColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=console) as bar:
            task = bar.add_task(what, total=total)
            yield lambda amount: bar.advance(task, amount)
        return
    done, lines = 0.0, 0

    def advance(amount: float) -> None:
        nonlocal done, lines
        done += amount
        if (reached := int(_LINES * done / total + 1e-6)) > lines:
            lines = reached
            say(f"{100 * lines // _LINES} % of {total} {what}")

    yield advance
