"""Keep what plugins print out of the results of commands.

A plugin can print in many ways: with `print`, into descriptor 1, in a child process, in a thread, in C code, or when
the process ends. So descriptor 1 itself leads to standard error, and results are written to a duplicate of the
original, which only marsseg knows. A command that a plugin adds gets the original back.
"""

from __future__ import annotations

import io
import os
import sys
from typing import TextIO

from .streams import LastingFile, lasting, raw_file

_results: TextIO | None = None


def reserve_standard_output() -> None:
    """Lead descriptor 1 of this process to standard error, and open a duplicate of the original for results.

    `sys.stdout` is that duplicate, for help and completion, until a command starts. Where `sys.stdout` is no file of
    this process, as in a notebook, a test or a console of Windows, nothing happens.
    """
    global _results
    raw = raw_file(sys.stdout)
    if not isinstance(raw, io.FileIO) or raw.fileno() != 1:
        return
    sys.stdout.flush()
    sys.stdout = _results = lasting(sys.stdout, os.dup(1), "Standard output")
    try:
        os.write(2, b"")
        os.dup2(2, 1)
    except OSError:  # standard error is closed
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def results() -> TextIO:
    """Return the stream for the results of a command."""
    return _results or sys.stdout


def output_failure() -> OSError | None:
    """Write the results that are still held back; return why they could not be written, or None if all were."""
    results().flush()
    raw = raw_file(results())
    return raw.failure if isinstance(raw, LastingFile) else None


def keep_for_results() -> None:
    """Lead `sys.stdout` to standard error, too, as a command of marsseg starts."""
    if _results is not None:
        sys.stdout = sys.stderr


def give_back_standard_output() -> None:
    """Undo `reserve_standard_output`, as a command of a plugin starts."""
    global _results
    if _results is None or sys.__stdout__ is None:
        return
    _results.flush()
    sys.__stdout__.flush()
    os.dup2(_results.fileno(), 1)
    sys.stdout, _results = sys.__stdout__, None
