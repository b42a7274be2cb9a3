"""Find out what loading a plugin changes in its process that others rely on."""

from __future__ import annotations

import locale
import logging
import os
import random
import signal
import sys
from collections.abc import Callable
from typing import Any, Final

# What a user notices, and how to read what it depends on.
_SETTINGS: Final[dict[str, Callable[[], Any]]] = {
    "changes environment variables": lambda: dict(os.environ),
    "changes the recursion limit": sys.getrecursionlimit,
    "replaces a standard stream": lambda: (sys.stdout, sys.stderr),
    "sets the locale": lambda: locale.setlocale(locale.LC_ALL),
    "handles signals": lambda: [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)],
    "configures Python's root logger": lambda: (logging.root.level, [*logging.root.handlers]),
    "seeds Python's random numbers": random.getstate,
}


class ProcessState:
    """Hold the state of this process before a plugin is loaded."""

    def __init__(self) -> None:
        self._before = {name: read() for name, read in _SETTINGS.items()}
        self._called: set[str] = set()
        # marsseg goes back to the working directory after each call of a plugin, so comparing it finds nothing.
        directory = os.getcwd()

        def audit(event: str, arguments: tuple[Any, ...]) -> None:
            if event == "os.chdir" and arguments[0] != directory:
                self._called.add("changes the working directory")

        sys.addaudithook(audit)

    def changes(self) -> list[str]:
        """Return what has changed since, as in "changes the recursion limit"."""
        return sorted(self._called) + [name for name, read in _SETTINGS.items() if read() != self._before[name]]
