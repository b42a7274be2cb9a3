"""Undo what plugins change in the process that marsseg relies on: working directory, log messages, standard error."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Lock

from ..messages import MessageSwitches

_lock = Lock()
_users = 0
_directory: str | None = None
_switches = MessageSwitches()


@contextmanager
def keep_process_state() -> Iterator[None]:
    """Go back to the working directory and enable marsseg's log messages again when a plugin has been called.

    Both belong to the whole process, and several threads may be inside. They all go back to the state that the first
    one found.
    """
    global _users, _directory, _switches
    with _lock:
        if not _users:
            _directory, _switches = _working_directory(), MessageSwitches.read()
        _users += 1
    try:
        yield
    finally:
        with _lock:
            _users -= 1
            _go_back()


def restore_process_state() -> None:
    """Do inside `keep_process_state` what it does at its end."""
    with _lock:
        if _users:
            _go_back()


def _go_back() -> None:
    _switches.restore()
    if sys.stderr is None:  # marsseg's messages go there
        sys.stderr = sys.__stderr__
    if _directory is not None and _working_directory() != _directory:
        with suppress(OSError):  # it was removed
            os.chdir(_directory)


def _working_directory() -> str | None:
    try:
        return os.getcwd()
    except OSError:  # it was removed
        return None
