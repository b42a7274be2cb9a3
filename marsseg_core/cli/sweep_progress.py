"""Show the trials of a sweep while it runs: as a live table on a terminal, by one line for each trial elsewhere."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from ..files.run_folder import RunFolder
from ..files.waiting import on_terminal, without_spinner
from ..printable import printable
from ..runs.metric_values import score_text
from .output import say

if TYPE_CHECKING:
    from ..sweeps.summary import Summary, TrialRecord

# The rows of the live table: all running trials, and the last of those that have ended.
_ROWS: Final = 12


class SweepProgress:
    """Show a sweep on standard error, inside a `with` block.

    Args:
        folder: the folder of the sweep
        before: the trials so far. Those that have ended get no line.
    """

    def __init__(self, folder: Path, before: Summary) -> None:
        self._folder = folder
        self._reported = {trial.number for trial in before.trials if trial.state != "running"}
        self._live: Any = None
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        if on_terminal():
            from rich.console import Console
            from rich.live import Live

            self._stack.enter_context(without_spinner())
            self._live = self._stack.enter_context(Live(console=Console(stderr=True), refresh_per_second=2))
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def show(self, summary: Summary) -> None:
        """Show the state of the trials."""
        if self._live is not None:
            self._live.update(self._table(summary))
            return
        for trial in summary.trials:
            if trial.state != "running" and trial.number not in self._reported:
                self._reported.add(trial.number)
                say(_line(trial, summary.objective))

    def _table(self, summary: Summary) -> Any:
        from rich.table import Table
        from rich.text import Text

        names = dict.fromkeys(name for trial in summary.trials for name in trial.settings)
        best = summary.ranked[0].name if summary.ranked else "none"
        table = Table(box=None, pad_edge=False, title=f"{summary.text}; best: {best}", title_justify="left")
        for header in ("trial", "state", "epochs", summary.objective, *names):
            table.add_column(Text(header), overflow="ellipsis", no_wrap=True)
        running = [trial for trial in summary.trials if trial.state == "running"]
        ended = [trial for trial in summary.trials if trial.state not in ("running", "skipped")]
        room = max(0, _ROWS - len(running))
        for trial in [*ended[max(0, len(ended) - room) :], *running]:
            value = score_text(trial.value, "")
            settings = [trial.shown_settings.get(name, "") for name in names]
            cells = (trial.name, trial.state, str(self._epochs(trial) or ""), value, *settings)
            table.add_row(*(Text(printable(cell)) for cell in cells))
        return table

    def _epochs(self, trial: TrialRecord) -> int | None:
        """Return the number of epochs that a trial has done."""
        if trial.epochs is not None:
            return trial.epochs
        try:
            lines = RunFolder(self._folder / trial.name).history.read_bytes().count(b"\n")
        except OSError:
            return None
        return max(0, lines - 1)


def _line(trial: TrialRecord, objective: str) -> str:
    settings = " ".join(f"{name}={value}" for name, value in trial.shown_settings.items())
    value = "" if trial.value is None else f" {objective} {trial.value:z.4f}"
    return f"{trial.name} {trial.state}{value}: {trial.reason or settings}"
