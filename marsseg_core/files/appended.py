"""Write files that grow by a line at a time: a line is added to the file, instead of writing all of it again."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .atomic import errors_named, write_bytes


class AppendedFile:
    """Write a file as a whole, atomically, and then add to its end.

    If the disk is full, nothing is added. If the machine stops meanwhile, the last line may be incomplete.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._size = -1

    @property
    def unchanged(self) -> bool:
        """Return whether this object has written the file, and nothing else has changed its size or replaced it."""
        try:
            status = self._path.lstat()
        except OSError:
            return False
        return stat.S_ISREG(status.st_mode) and status.st_size == self._size

    def write(self, content: bytes) -> None:
        """Write the whole file; raise RunError if that fails, and leave an earlier file as it is."""
        write_bytes(self._path, content)
        self._size = len(content)

    def append(self, content: bytes) -> None:
        """Add to the end of the file, which must be unchanged; raise RunError if that fails, and add nothing."""
        with errors_named(self._path), self._path.open("ab", buffering=0) as file:
            try:
                rest = memoryview(content)
                while rest:
                    rest = rest[file.write(rest) :]
                os.fsync(file.fileno())
            except BaseException:
                file.truncate(self._size)
                raise
        self._size += len(content)


class SeenRows:
    """Remember how many rows of a growing list were handled, so that each is handled once.

    A row that was handled must not change.
    """

    def __init__(self) -> None:
        self._count = 0
        self._last: Any = None

    def count(self, rows: Sequence[Any]) -> int:
        """Return how many rows of the list were handled; 0 if it does not continue the list that was handled."""
        continues = 0 < self._count <= len(rows) and rows[self._count - 1] is self._last
        return self._count if continues else 0

    def remember(self, rows: Sequence[Any]) -> None:
        """Remember that all rows of the list were handled."""
        self._count, self._last = len(rows), rows[-1] if rows else None
