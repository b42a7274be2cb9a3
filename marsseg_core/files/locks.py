"""Folders that a living process has for itself. The mark ends with the process, however it ends."""

from __future__ import annotations

import os
from pathlib import Path


def locked(folder: Path) -> int | None:
    """A file descriptor that marks a folder as in use until it is closed; None where the system has no locks.

    Raises BlockingIOError where another process has it.
    """
    try:
        import fcntl
    except ImportError:  # Windows, where a folder in use cannot be removed anyway
        return None
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as cause:
        os.close(descriptor)
        if isinstance(cause, BlockingIOError):
            raise
        return None  # some network file systems
    return descriptor
