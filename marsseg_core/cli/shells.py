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
from typing import Final

_INSTRUCTION: Final = "_MARSSEG_COMPLETE"

# No description has so many characters.
_WIDE: Final = "10000"

# zsh calls what it loads by the name of the file. In a script that is sourced, no function has this name.
_FIRST_TAB: Final = """

if [ "$funcstack[1]" = "_%(prog_name)s" ]; then
  %(complete_func)s "$@"
fi"""


@contextmanager
def for_shells() -> Iterator[None]:
    """Let the script and the answers of Typer be right for the shells while the block runs."""
    if {"--install-completion", "--show-completion"}.intersection(sys.argv):
        _complete_at_the_first_tab()
    instruction = os.environ.get(_INSTRUCTION)
    if instruction is None:
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


def _complete_at_the_first_tab() -> None:
    """Add to Typer's script that the function completes when it is loaded."""
    from typer import _completion_shared

    scripts = _completion_shared._completion_scripts
    if "funcstack" not in scripts["zsh"]:
        scripts["zsh"] = scripts["zsh"].rstrip() + _FIRST_TAB
