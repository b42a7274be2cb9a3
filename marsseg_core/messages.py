"""Log messages with Python's `logging`, which has a logger for each subpackage of marsseg.

Warnings report problems that do not stop an operation, info messages its progress, debug messages decisions. In Python,
the application configures where messages go; by default, warnings go to standard error. The command line prints
messages to standard error, depending on `-v` and `-q`, and a run also stores its messages in its log.
"""

from __future__ import annotations

import logging
from collections import deque
from dataclasses import dataclass
from typing import Final, Self

ROOT: Final = "marsseg"

_names: Final = {ROOT}

# Without a level of its own, the logger would take that of Python's root logger, which drops all but warnings.
logging.getLogger(ROOT).setLevel(logging.INFO)


# Messages that were not logged yet.
_waiting: Final[deque[str]] = deque()


def get_logger(module: str) -> logging.Logger:
    """Return the logger for the subpackage of a module; for a module of a plugin, that for its package.

    >>> get_logger("marsseg_core.training.loop").name
    'marsseg.training'
    >>> get_logger("marsseg_dunes.dilated").name
    'marsseg.plugins.marsseg_dunes'
    """
    package, _, rest = module.partition(".")
    name = rest.partition(".")[0] if package == __package__ else f"plugins.{package}"
    _names.add(logger := f"{ROOT}.{name}")
    return logging.getLogger(logger)


@dataclass(frozen=True)
class MessageSwitches:
    """Hold which log messages are switched off, so that a plugin's configuration of `logging` can be undone.

    `logging.disable` switches off a level and all below; `logging.config.dictConfig` disables all existing loggers
    unless it is told not to.
    """

    level: int = logging.NOTSET
    disabled: frozenset[logging.Logger] = frozenset()

    @classmethod
    def read(cls) -> Self:
        """Return the current switches."""
        return cls(logging.root.manager.disable, frozenset(logger for logger in _loggers() if logger.disabled))

    def restore(self) -> None:
        """Set the switches as they were when they were read."""
        if logging.root.manager.disable != self.level:
            logging.disable(self.level)
        for logger in _loggers():
            logger.disabled = logger in self.disabled


def _loggers() -> list[logging.Logger]:
    """Return marsseg's loggers that exist, without those of plugins."""
    known = logging.root.manager.loggerDict
    return [logger for name in _names if isinstance(logger := known.get(name), logging.Logger)]


def log_later(line: str) -> None:
    """Store a warning until `log_waiting` is called.

    For code in which logging could wait for itself or would be in another thread than the run: handlers of signals, and
    writing to a stream.
    """
    _waiting.append(line)


def log_waiting() -> None:
    """Log the warnings that `log_later` has stored. A run calls this between two steps and at its end."""
    while _waiting:
        get_logger(__name__).warning(_waiting.popleft())
