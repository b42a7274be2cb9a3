"""Adapt Typer's completion to zsh, fish and PowerShell.

- The script for zsh is a file that zsh loads at the first Tab. It only registers the function that completes, so this
  Tab would complete nothing.
- An apostrophe is written for zsh as two, which end and begin a text between apostrophes: it would be lost.
- Long descriptions are folded to the width of the terminal. fish and PowerShell take each line for a word.
"""

from __future__ import annotations

import io
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Final

from ..registry.distribution import DISTRIBUTION

_INSTRUCTION: Final = "_MARSSEG_COMPLETE"

# No description has so many characters.
_WIDE: Final = "10000"

# The last line of Typer's script for zsh: the function that completes, and the command.
_REGISTERED: Final = re.compile(r"^compdef (\S+) (\S+)\s*\Z", re.MULTILINE)

# zsh calls what it loads by the name of the file. In a script that is sourced, no function has this name.
_FIRST_TAB: Final = """
if [ "$funcstack[1]" = "_{command}" ]; then
  {function} "$@"
fi
"""


@contextmanager
def for_shells() -> Iterator[None]:
    """Let the script and the answers of Typer be right for the shells while the block runs."""
    instruction = os.environ.get(_INSTRUCTION)
    if instruction is None:
        with _right_scripts():
            yield
        return
    answer, width = io.StringIO(), os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = _WIDE
    try:
        with redirect_stdout(answer):
            yield
    finally:
        del os.environ["COLUMNS"]
        if width is not None:
            os.environ["COLUMNS"] = width
        text = answer.getvalue()
        sys.stdout.write(with_apostrophes(text) if instruction == "complete_zsh" else text)


def with_apostrophes(answer: str) -> str:
    """Return an answer of Typer with each doubled apostrophe as zsh reads it as one."""
    return re.sub(r"(?<!\\)''", r"'\\''", answer)


def completes_at_the_first_tab(script: str) -> str:
    """Return Typer's script for zsh with a call of the function when it is loaded; any other text as it is."""
    registered = _REGISTERED.search(script)
    if registered is None:
        return script
    return script.rstrip() + _FIRST_TAB.format(function=registered[1], command=registered[2])


@contextmanager
def _right_scripts() -> Iterator[None]:
    """Let the script that Typer prints, or has installed, complete at the first Tab."""
    if "--show-completion" in sys.argv:
        script = io.StringIO()
        try:
            with redirect_stdout(script):
                yield
        finally:
            sys.stdout.write(completes_at_the_first_tab(script.getvalue()))
        return
    try:
        yield
    finally:
        installed = Path.home() / ".zfunc" / f"_{DISTRIBUTION}"
        if "--install-completion" in sys.argv and installed.is_file():
            installed.write_text(completes_at_the_first_tab(installed.read_text()))
