"""Read what a command printed."""

from __future__ import annotations

import re


def plain(text: str) -> str:
    """Remove the control codes of the terminal."""
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def table(text: str) -> list[list[str]]:
    """Return the rows of a piped table."""
    return [line.split("\t") for line in text.splitlines()]
