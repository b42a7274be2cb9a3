"""The one channel for what is told to people: Python's `logging`, with a logger for each room.

Warnings are about what went wrong without ending anything, information about what is going on, debug messages about
what was decided. In Python they go where the application sends them: unless it says otherwise, warnings to standard
error. The command line prints them there, as `-v` and `-q` say, and a run keeps its own in its log.
"""

from __future__ import annotations

import logging
from typing import Final

ROOT: Final = "marsseg"

# Else Python's default would be asked, which lets only warnings through: nobody could listen to anything else.
logging.getLogger(ROOT).setLevel(logging.INFO)


def get_logger(module: str) -> logging.Logger:
    """Get the logger of the room that a module is in; of a plugin's module, that of its package.

    >>> get_logger("marsseg_core.training.loop").name
    'marsseg.training'
    >>> get_logger("marsseg_dunes.dilated").name
    'marsseg.plugins.marsseg_dunes'
    """
    package, _, rest = module.partition(".")
    room = rest.partition(".")[0] if package == __package__ else f"plugins.{package}"
    return logging.getLogger(f"{ROOT}.{room}")
