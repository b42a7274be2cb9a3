"""Write the log messages of a run into the log file of its folder."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Final

from ..errors import RunError
from ..files.run_folder import RunFolder
from ..messages import ROOT, log_waiting

# The log of the run in this thread, as several threads of a process may each have a run.
_current: Final[ContextVar[RunLog | None]] = ContextVar("marsseg_run_log", default=None)


class RunLog(logging.Handler):
    """Collect messages until the run folder exists. After that, write each message into its log file."""

    def __init__(self, earlier_warnings: Iterable[str]) -> None:
        super().__init__(logging.INFO)
        self._waiting = [f"warning: {line}" for line in earlier_warnings]
        self._folder: RunFolder | None = None

    def begin(self, folder: RunFolder) -> None:
        """Write the messages collected so far, and from now on each message at once."""
        self._folder = folder
        for line in self._waiting:
            folder.log(line)
        self._waiting.clear()

    def emit(self, record: logging.LogRecord) -> None:
        """Collect or write a message, if it comes from this run's thread."""
        if _current.get() is not self:
            return
        line = record.getMessage()
        if record.levelno >= logging.WARNING:
            line = f"warning: {line}"
        if self._folder is None:
            self._waiting.append(line)
        else:
            with suppress(RunError):  # if the disk is full, writing the run's other files raises the error
                self._folder.log(line)


@contextmanager
def run_log(earlier_warnings: Iterable[str] = ()) -> Iterator[RunLog]:
    """Collect the messages that this thread logs inside, for the log file of a run that has not begun yet.

    `earlier_warnings` are warnings about the run that were logged before.
    """
    log = RunLog(earlier_warnings)
    token = _current.set(log)
    logger = logging.getLogger(ROOT)
    logger.addHandler(log)
    try:
        yield log
    finally:
        log_waiting()
        logger.removeHandler(log)
        _current.reset(token)
