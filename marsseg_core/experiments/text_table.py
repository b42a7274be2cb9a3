"""A table of texts, as the command line, the pages and the files for papers show it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class TextTable:
    """A table of texts.

    Attributes:
        headers: The names of the columns.
        rows: The rows.
        right: The names of the columns with numbers.
    """

    headers: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    right: tuple[str, ...] = ()
