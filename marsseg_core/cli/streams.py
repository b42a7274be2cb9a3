"""Let work go on where standard output or standard error goes away.

A reader that leaves (`| head`), a terminal that is closed, a full disk or a closed descriptor makes every write fail.
The streams of this module remember the first failure and drop what is written after it. This holds for everything that
writes to `sys.stdout` and `sys.stderr`: marsseg, Rich, Typer, Keras, plugins, and Python itself when it ends.
"""

from __future__ import annotations

import io
import os
import select
import sys
from typing import Any, Final

from ..messages import log_later

_STANDARD_DESCRIPTORS: Final = 3


class LastingFile(io.FileIO):
    """A file for writing bytes whose first failure is recorded in `failure`, and which then drops all bytes."""

    def __init__(self, descriptor: int, name: str) -> None:
        super().__init__(descriptor, "wb", closefd=False)
        self.failure: OSError | None = None
        self._title = name

    def write(self, data: Any) -> int:
        """Write all bytes, or drop them; return their number."""
        rest = everything = memoryview(data).cast("B")
        while rest and self.failure is None:
            try:
                written = super().write(rest)
            except OSError as cause:
                self.failure = cause
                log_later(f"{self._title} can no longer be written: {cause.strerror}. The work continues without it.")
                break
            if written is None:  # the descriptor is in non-blocking mode, and its buffer is full
                select.select([], [self], [])
            rest = rest[written or 0 :]
        return len(everything)


class _LastingText(io.TextIOWrapper):
    """A text stream that stays open when a plugin closes it."""

    def close(self) -> None:
        """Write what is held back."""
        self.flush()


def make_streams_lasting() -> None:
    """Replace `sys.stdout` and `sys.stderr` by streams that never fail, and that replace unknown characters."""
    _open_missing_descriptors()
    sys.stdout = sys.__stdout__ = lasting(sys.stdout, 1, "Standard output")  # type: ignore[misc]
    sys.stderr = sys.__stderr__ = lasting(sys.stderr, 2, "Standard error")  # type: ignore[misc]


def _open_missing_descriptors() -> None:
    """Open the closed ones of the descriptors 0, 1 and 2, so that no file that is opened later gets their numbers.

    They cannot be written, so that writing to them is still a failure.
    """
    while (descriptor := os.open(os.devnull, os.O_RDONLY)) < _STANDARD_DESCRIPTORS:
        os.set_inheritable(descriptor, True)
    os.close(descriptor)


def raw_file(stream: Any) -> Any:
    """Return the unbuffered file below a text stream."""
    buffer = getattr(stream, "buffer", None)
    return getattr(buffer, "raw", buffer)  # `python -u` has no buffer


def lasting(stream: Any, descriptor: int, name: str) -> Any:
    """Return a stream like this one, for a descriptor, that never fails. None is the stream of a closed descriptor."""
    if stream is None:
        return _LastingText(io.BufferedWriter(LastingFile(descriptor, name)), encoding="utf-8", errors="replace")
    if not isinstance(stream, io.TextIOWrapper):
        return stream
    stream.reconfigure(errors="replace")
    if not isinstance(raw_file(stream), io.FileIO):  # a console of Windows, which takes no bytes
        return stream
    stream.flush()
    file = LastingFile(descriptor, name)
    return _LastingText(
        file if stream.write_through else io.BufferedWriter(file),
        encoding=stream.encoding,
        errors="replace",
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )
