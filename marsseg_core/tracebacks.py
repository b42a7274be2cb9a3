"""Show an error in a notebook by the lines of the caller's own code, without those of marsseg and of libraries."""

from __future__ import annotations

import os
import sys
import sysconfig
from collections.abc import Iterator
from copy import copy
from pathlib import Path
from types import TracebackType
from typing import Any, Final

# The mode of IPython's tracebacks that nobody has chosen. Other modes show what they promise.
_DEFAULT_MODE: Final = "Context"

_PLUGINS: Final = "marsseg_plugins"


def notebook_traceback(error: BaseException) -> list[str]:
    """Return the lines that IPython shows for an error.

    These are the caller's own lines, from the cell on, and those of its own code in which the error began, such as a
    loss from a cell. After `%xmode Verbose` or `%xmode Plain`, and for `%tb Verbose`, they are all lines.
    """
    shown: Any = sys.modules["IPython"].get_ipython().InteractiveTB  # only IPython calls this
    if shown.mode != _DEFAULT_MODE:
        return [*shown.structured_traceback(type(error), error, error.__traceback__, tb_offset=1)]
    own = None
    for traceback in reversed([*_own_lines(error)]):
        own = TracebackType(own, traceback.tb_frame, traceback.tb_lasti, traceback.tb_lineno)
    alone = copy(error)  # without its causes, which have lines of marsseg too
    if own is None:
        return [f"{type(error).__name__}: {error}"]
    return [*shown.structured_traceback(type(alone), alone, own, tb_offset=0)]


def _own_lines(error: BaseException | None) -> Iterator[TracebackType]:
    """Yield the tracebacks of the caller's own code: those of the error, then those of its causes."""
    foreign = tuple(_foreign_folders())
    while error is not None:
        traceback = error.__traceback__
        while traceback is not None:
            file = traceback.tb_frame.f_code.co_filename
            # Generated code, as in dataclasses, has no file. Older versions of IPython call the file of a cell so.
            has_file = not file.startswith("<") or file.startswith("<ipython-input")
            if has_file and not os.path.realpath(file).startswith(foreign):
                yield traceback
            traceback = traceback.tb_next
        error = error.__cause__


def _foreign_folders() -> Iterator[str]:
    """Yield the folders of marsseg, of Python and of what is installed, each with a separator at its end."""
    packages = [__file__, getattr(sys.modules.get(_PLUGINS), "__file__", None)]
    yield from (str(Path(file).resolve().parent) + os.sep for file in packages if file)
    paths = sysconfig.get_paths()
    yield from (os.path.realpath(paths[name]) + os.sep for name in ("stdlib", "platstdlib", "purelib", "platlib"))
