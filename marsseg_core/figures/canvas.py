"""What all figures share: size in pixels, inks, and how one is written. No pyplot, no global state."""

from __future__ import annotations

from collections.abc import Iterable
from os import PathLike
from typing import BinaryIO

from matplotlib.figure import Figure
from matplotlib.text import Text

Target = str | PathLike[str] | BinaryIO

DPI = 160
MUTED = "#666666"
GRID = "#e2e2e2"
TITLE_SIZE = 12
LABEL_SIZE = 10
NOTE_SIZE = 9


def write(figure: Figure, target: Target) -> None:
    """The figure as PNG, the same bytes for the same figure."""
    figure.savefig(target, format="png", dpi=DPI, facecolor="white", metadata={"Software": None})


def verbatim(texts: Iterable[Text]) -> None:
    """Show texts as they are: a dollar sign in a class's name starts no formula."""
    for text in texts:
        text.set_parse_math(False)
