"""Hash files, after they were written or while they are written."""

from __future__ import annotations

import hashlib
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Final

from .regular import open_regular

_DIGEST_BYTES: Final = 16

# The blocks that may wait for their hash: they stay in memory meanwhile.
_WAITING: Final = 16


def file_hash(path: Path) -> str:
    """Return the hash of a file. Raises OSError if it cannot be read or is no regular file."""
    digest = hashlib.blake2b(digest_size=_DIGEST_BYTES)
    with open_regular(path) as file:
        while block := file.read(2**20):
            digest.update(block)
    return digest.hexdigest()


def content_hash(content: bytes) -> str:
    """Return the hash that a file with this content has."""
    return hashlib.blake2b(content, digest_size=_DIGEST_BYTES).hexdigest()


class HashedFile:
    """A file that is written from its start to its end, while a thread computes its hash.

    It has what a ZipFile needs of a file that has no positions. After the `with` block, `hash` is that of `file_hash`.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")
        self._digest = hashlib.blake2b(digest_size=_DIGEST_BYTES)
        self._thread = ThreadPoolExecutor(1, "hash")
        self._pending: deque[Future[None]] = deque()

    def __enter__(self) -> HashedFile:
        """Return the file."""
        return self

    def __exit__(self, *_: object) -> None:
        """Wait for the hash, and close the file."""
        self._thread.shutdown()
        self._file.close()

    def write(self, block: bytes | memoryview) -> int:
        """Write a block, and return its number of bytes. Its memory may not be changed until the file is closed."""
        self._pending.append(self._thread.submit(self._digest.update, block))
        written = self._file.write(block)
        if len(self._pending) > _WAITING:
            self._pending.popleft().result()
        return written

    def flush(self) -> None:
        """Write what is buffered."""
        self._file.flush()

    @property
    def hash(self) -> str:
        """Return the hash of what was written; call it after the `with` block only."""
        return self._digest.hexdigest()
