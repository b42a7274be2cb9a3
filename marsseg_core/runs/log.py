"""What is told in the course of a run, kept in its folder's log."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Final

from ..errors import RunError
from ..files.run_folder import RunFolder
from ..messages import ROOT

# Several runs may go on in several threads of a process: each keeps its own messages.
_current: Final[ContextVar[RunLog | None]] = ContextVar("marsseg_run_log", default=None)


class RunLog(logging.Handler):
    """Keep messages until there is a run folder, and write them into its log from then on."""

    def __init__(self, before: Iterable[str]) -> None:
        super().__init__(logging.INFO)
        self._waiting = [f"warning: {line}" for line in before]
        self._folder: RunFolder | None = None

    def begin(self, folder: RunFolder) -> None:
        """Write what was told so far, and from now on at once."""
        self._folder = folder
        for line in self._waiting:
            folder.log(line)
        self._waiting.clear()

    def emit(self, record: logging.LogRecord) -> None:
        if _current.get() is not self:
            return
        line = record.getMessage()
        if record.levelno >= logging.WARNING:
            line = f"warning: {line}"
        if self._folder is None:
            self._waiting.append(line)
        else:
            with suppress(RunError):  # where the disk is full, what the run cannot do without says so
                self._folder.log(line)


@contextmanager
def run_log(before: Iterable[str] = ()) -> Iterator[RunLog]:
    """Keep what is told inside, in this thread, for the log of a run that is going to begin.

    `before` are warnings that concern the run and were given already.
    """
    log = RunLog(before)
    token = _current.set(log)
    logger = logging.getLogger(ROOT)
    logger.addHandler(log)
    try:
        yield log
    finally:
        logger.removeHandler(log)
        _current.reset(token)
