"""Log messages with Python's `logging`, which has a logger for each subpackage of marsseg.

Warnings report problems that do not stop an operation, info messages its progress, debug messages decisions. In Python,
the application configures where messages go; by default, warnings go to standard error. The command line prints
messages to standard error, depending on `-v` and `-q`, and a run also stores its messages in its log.
"""

from __future__ import annotations

import logging
from collections import deque
from typing import Final

ROOT: Final = "marsseg"

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
    return logging.getLogger(f"{ROOT}.{name}")


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
