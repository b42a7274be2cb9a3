"""Folders that a living process has for itself. The mark ends with the process, however it ends."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

_OPENS_FOLDERS = sys.platform != "win32"


@contextmanager
def hold(folder: Path) -> Iterator[None]:
    """Mark a folder as in use until the block, or the process, ends.

    The folder itself is locked: nothing is written into it, and one that cannot be written is locked as well. Windows
    opens no folders, so there it is a file beside it, which goes with the block. Where there are no locks, as on some
    network file systems, nothing is marked.

    Raises:
        BlockingIOError: The folder is in use.
    """
    from filelock import lock_descriptor  # here, since most commands lock nothing and need not wait for it

    place = folder if _OPENS_FOLDERS else _file_beside(folder)
    with ExitStack() as opened:
        mine = True
        with suppress(OSError):
            descriptor = os.open(place, os.O_RDONLY if place == folder else os.O_RDWR | os.O_CREAT)
            opened.callback(os.close, descriptor)
            mine = lock_descriptor(descriptor, blocking=False)
        if not mine:
            raise BlockingIOError(errno.EWOULDBLOCK, "The folder is in use", str(folder))
        try:
            yield
        finally:
            opened.close()
            if place != folder:
                with suppress(OSError):  # another process has opened it meanwhile, and removes it
                    place.unlink()


def _file_beside(folder: Path) -> Path:
    whole = folder.absolute()
    return whole.with_name(f".{whole.name}.lock")
