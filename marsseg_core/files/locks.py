"""Lock folders for one process. The operating system releases a lock when the process ends, even if it is killed."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

_OPENS_FOLDERS = sys.platform != "win32"


@contextmanager
def lock_folder(folder: Path) -> Iterator[None]:
    """Lock a folder until the block or the process ends.

    The folder itself is locked: nothing is written into it, so that a read-only folder can be locked too. On Windows,
    where folders cannot be opened, a file beside the folder is locked, and removed at the end of the block. On file
    systems without locks, such as some network file systems, nothing is locked.

    Raises:
        BlockingIOError: if another process has locked the folder
    """
    from filelock import lock_descriptor  # imported here, as most commands lock nothing and should start fast

    path = folder if _OPENS_FOLDERS else _file_beside(folder)
    with ExitStack() as descriptors:
        acquired = True
        with suppress(OSError):
            descriptor = os.open(path, os.O_RDONLY if path == folder else os.O_RDWR | os.O_CREAT)
            descriptors.callback(os.close, descriptor)
            acquired = lock_descriptor(descriptor, blocking=False)
        if not acquired:
            raise BlockingIOError(errno.EWOULDBLOCK, "The folder is in use", str(folder))
        try:
            yield
        finally:
            descriptors.close()
            if path != folder:
                with suppress(OSError):  # another process has opened the file meanwhile, and will remove it
                    path.unlink()


def _file_beside(folder: Path) -> Path:
    absolute = folder.absolute()
    return absolute.with_name(f".{absolute.name}.lock")
