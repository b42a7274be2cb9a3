"""Keep what plugins print out of the results of commands.

A plugin can print in many ways: with `print`, into descriptor 1, in a child process, in a thread, in C code, or when
the process ends. So descriptor 1 itself leads to standard error, and results are written to a duplicate of the
original, which only marsseg knows. A command that a plugin adds gets the original back.
"""

from __future__ import annotations

import os
import sys
from typing import TextIO

_results: TextIO | None = None


def reserve_standard_output() -> None:
    """Lead descriptor 1 of this process to standard error, and open a duplicate of the original for results.

    `sys.stdout` is that duplicate, for help and completion, until a command starts. If `sys.stdout` has been replaced,
    as by a notebook or a test, nothing happens.
    """
    global _results
    original = sys.__stdout__
    if original is None or original is not sys.stdout or original.fileno() != 1:
        return
    original.flush()
    _results = open(  # noqa: SIM115 - it stays open as long as the process runs
        os.dup(1), "w", encoding=original.encoding, errors=original.errors, buffering=1 if original.isatty() else -1
    )
    sys.stdout = _results
    try:
        os.dup2(2, 1)
    except OSError:  # standard error is closed
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def results() -> TextIO:
    """Return the stream for the results of a command."""
    return _results or sys.stdout


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
    sys.stdout = sys.__stdout__
    sys.stdout.flush()
    os.dup2(_results.fileno(), 1)
    _results = None
