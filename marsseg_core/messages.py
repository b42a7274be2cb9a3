"""Log messages with Python's `logging`, which has a logger for each subpackage of marsseg.

Warnings report problems that do not stop an operation, info messages its progress, debug messages decisions. In Python,
the application configures where messages go; by default, warnings go to standard error. The command line prints
messages to standard error, depending on `-v` and `-q`, and a run also stores its messages in its log.
"""

from __future__ import annotations

import logging
from typing import Final

ROOT: Final = "marsseg"

# Without a level of its own, the logger would take that of Python's root logger, which drops all but warnings.
logging.getLogger(ROOT).setLevel(logging.INFO)


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
