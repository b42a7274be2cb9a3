"""Open files that users name: only regular files, so that no pipe, socket or device is read without an end."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO, Final

_KINDS: Final = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def check_regular(path: Path | str) -> None:
    """Raise OSError if a path does not lead to a regular file, directly or over links. Nothing is opened.

    Call it before a library opens the file: a named pipe would block, and a device such as /dev/zero never ends.

    Args:
        path: the file

    Raises:
        OSError: if there is no such file, or it is a folder, a named pipe, a socket or a device; its `strerror` says it
        ValueError: if the path cannot be one
    """
    kind = stat.S_IFMT(os.stat(path).st_mode)
    if kind == stat.S_IFDIR:
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if kind != stat.S_IFREG:
        what = _KINDS.get(kind, "something else")
        raise OSError(errno.EINVAL, f"it is {what}, not a regular file", str(path))


def open_regular(path: Path | str) -> BinaryIO:
    """Open a regular file to read its bytes.

    Args:
        path: the file

    Returns:
        The open file.

    Raises:
        OSError: as `check_regular`, or if the file cannot be opened
        ValueError: if the path cannot be one
    """
    check_regular(path)
    return Path(path).open("rb")
