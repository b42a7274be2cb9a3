"""Adapt completion to the way in which bash splits words.

bash splits the words of the command line at the characters in COMP_WORDBREAKS, which include `:` and `=`. It replaces
only the last piece by the answer. For `--loss dice:we` it sends the pieces `dice`, `:` and `we`, and expects `weight=`.
This module joins the pieces to words, and removes from each answer the part that is on the command line already. If
COMP_WORDBREAKS does not contain these characters, bash sends whole words and receives whole words.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from typing import Final

_INSTRUCTION: Final = "_MARSSEG_COMPLETE"
_WORDS: Final = "COMP_WORDS"
_POSITION: Final = "COMP_CWORD"
_BREAKS: Final = frozenset(":=")


@contextmanager
def whole_words() -> Iterator[None]:
    """Join the pieces that bash sends while the block runs, and shorten the answers it prints; else do nothing."""
    if os.environ.get(_INSTRUCTION) != "complete_bash":
        yield
        return
    # Typer's script sends one word per line.
    pieces = os.environ[_WORDS].split("\n" if "\n" in os.environ[_WORDS] else None)
    words, position, typed = join_pieces(pieces, int(os.environ[_POSITION]))
    os.environ |= {_WORDS: "\n".join(words), _POSITION: str(position)}
    answer = io.StringIO()
    try:
        with redirect_stdout(answer):
            yield
    finally:
        for word in answer.getvalue().splitlines():
            sys.stdout.write(word.removeprefix(typed) + "\n")


def join_pieces(pieces: Sequence[str], position: int) -> tuple[list[str], int, str]:
    """Join pieces to words.

    Returns the words, the index of the word at the cursor, and the part of that word before its last piece. If the word
    is an option with its value, as `--arch=de`, this part is that of the value only, because the value is completed.
    """
    words: list[str] = []
    current, typed, open_end = 0, "", False
    for index, piece in enumerate(pieces):
        breaks = piece != "" and _BREAKS.issuperset(piece)
        joins = bool(words) and (breaks or (open_end and not piece.startswith("--")))
        before = words.pop() if joins else ""
        words.append(before + piece)
        open_end = breaks
        if index == position:
            current = len(words) - 1
            typed = before + piece if breaks else before
    if position >= len(pieces):
        words.append("")
        current = len(words) - 1
    return words, current, typed.partition("=")[2] if typed.startswith("--") else typed
