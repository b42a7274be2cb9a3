"""Show texts from outside, such as names of files and classes, without characters that control a terminal."""

from __future__ import annotations

import re

# Control characters except tab and line feed, the marks that change the direction of text, other separators of lines,
# and surrogates, by which Python represents the bytes of a name that are not UTF-8.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def printable(text: str) -> str:
    r"""Replace characters that control a terminal, or that no encoding has, by their escapes as in a Python literal.

    Tabs and line feeds stay. The command line and the log of a run pass every text through this function. An observer
    or a command that prints names of files or classes itself should do the same.

    Args:
        text: any text

    Returns:
        The text that can be printed and stored.

    Example:
        >>> printable("café \x1b[31m.npz")
        'café \\x1b[31m.npz'
    """
    return _CONTROL.sub(lambda match: repr(match[0])[1:-1], text)
