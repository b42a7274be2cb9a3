"""What bash sends for completion, put right.

bash parts the words of the command line at each of COMP_WORDBREAKS, : and = among them, and puts what it is answered
in the place of the last piece alone: for `--loss dice:we` it sends `dice`, `:` and `we`, and wants `weight=`. Here the
pieces become words again, and from the answer is taken what stands there already. A shell whose COMP_WORDBREAKS lacks
these signs sends whole words, and is answered with whole words.
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
    """Around the command: where it is called for completion by bash, whole words go in and fitting pieces come out."""
    if os.environ.get(_INSTRUCTION) != "complete_bash":
        yield
        return
    # Typer's script sends one word a line.
    pieces = os.environ[_WORDS].split("\n" if "\n" in os.environ[_WORDS] else None)
    words, position, typed = joined(pieces, int(os.environ[_POSITION]))
    os.environ |= {_WORDS: "\n".join(words), _POSITION: str(position)}
    answer = io.StringIO()
    try:
        with redirect_stdout(answer):
            yield
    finally:
        for word in answer.getvalue().splitlines():
            sys.stdout.write(word.removeprefix(typed) + "\n")


def joined(pieces: Sequence[str], position: int) -> tuple[list[str], int, str]:
    """Pieces → words, the position of the one at the cursor, and what of it stands before its last piece.

    Of an option that is joined to its value, `--arch=de`, only the value counts: that is what gets completed.
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
