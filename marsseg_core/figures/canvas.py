"""Give all figures one look: resolution, colours and font sizes, and one function to write a file.

Figures are made without pyplot, so there is no global state.
"""

from __future__ import annotations

from bisect import bisect
from collections.abc import Iterable
from os import PathLike
from typing import BinaryIO, Literal

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.ticker import MaxNLocator

Target = str | PathLike[str] | BinaryIO
"""The path of the file to write, or a file that is open for writing bytes."""

Format = Literal["png", "svg"]
"""The formats that figures are written in."""

DPI = 160
"""The resolution of figures, in pixels per inch."""

MUTED = "#666666"
"""The colour of ticks, notes and other secondary elements."""

GRID = "#e2e2e2"
"""The colour of grid lines."""

TITLE_SIZE = 12
"""The font size of titles, in points."""

LABEL_SIZE = 10
"""The font size of the names of axes and similar labels, in points."""

NOTE_SIZE = 9
"""The font size of notes and of tick labels, in points."""


def write(figure: Figure, target: Target, form: Format = "png") -> None:
    """Write a figure as a PNG or SVG file. The same figure always gives the same bytes."""
    metadata = {"Software": None} if form == "png" else {"Date": None, "Creator": None}
    with rc_context({"svg.hashsalt": "marsseg"}):
        figure.savefig(target, format=form, dpi=DPI, facecolor="white", metadata=metadata)


def finish_rows(axes: Axes, note: str, *, ticks: int, margin: float) -> None:
    """Finish a panel whose rows have intervals from left to right: its note below, its grid and its frame.

    Args:
        axes: the panel
        note: what the marks mean
        ticks: the largest number of steps between the ticks
        margin: the free space at both ends, as a part of the width
    """
    axes.set_xlabel(note, fontsize=NOTE_SIZE, color=MUTED)
    axes.xaxis.set_major_locator(MaxNLocator(ticks))
    axes.margins(x=margin)
    axes.grid(axis="x", color=GRID)
    axes.set_axisbelow(True)
    axes.tick_params(length=0, labelsize=LABEL_SIZE)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)


def shortened(text: str, longest: int) -> str:
    """Return a text of at most so many characters; a longer one ends in "…"."""
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def fit_width(text: Text, pixels: float) -> None:
    """Shorten a text in its middle, where it is wider than so many pixels of the figure.

    Args:
        text: a text of a figure
        pixels: the largest width
    """
    whole = text.get_text()

    def width(kept: int) -> float:
        text.set_text(f"{whole[: (kept + 1) // 2]}…{whole[len(whole) - kept // 2 :]}")
        return float(text.get_window_extent().width)

    if text.get_window_extent().width > pixels:
        width(max(0, bisect(range(len(whole)), pixels, key=width) - 1))


def verbatim(texts: Iterable[Text]) -> None:
    """Show texts literally, so that a dollar sign in the name of a class does not start a formula."""
    for text in texts:
        text.set_parse_math(False)
