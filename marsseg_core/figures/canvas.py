"""Draw all figures alike: their size in pixels, their inks, and how one is written. No pyplot, no global state."""

from __future__ import annotations

from collections.abc import Iterable
from os import PathLike
from typing import BinaryIO

from matplotlib.figure import Figure
from matplotlib.text import Text

Target = str | PathLike[str] | BinaryIO
"""Name a file to write to, or give one that is open for bytes."""

DPI = 160
"""Set how many pixels an inch of a figure has."""

MUTED = "#666666"
"""Colour ticks, notes and whatever stands back."""

GRID = "#e2e2e2"
"""Colour grid lines."""

TITLE_SIZE = 12
"""Set a figure's title, in points."""

LABEL_SIZE = 10
"""Set the names of axes and the like, in points."""

NOTE_SIZE = 9
"""Set what is said below a figure, in points."""


def write(figure: Figure, target: Target) -> None:
    """Write the figure as PNG, the same bytes for the same figure."""
    figure.savefig(target, format="png", dpi=DPI, facecolor="white", metadata={"Software": None})


def verbatim(texts: Iterable[Text]) -> None:
    """Show texts as they are: a dollar sign in a class's name starts no formula."""
    for text in texts:
        text.set_parse_math(False)
