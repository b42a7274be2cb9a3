"""Draw the confusion matrix: the predicted classes of the pixels of each true class."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.transforms import ScaledTranslation

from . import canvas, colours

SHADES = LinearSegmentedColormap.from_list("shares", ["#ffffff", "#9cb9cf", "#1f4e79"])
WHITE_TEXT_ABOVE = 0.75
CELL = 0.82  # inches
MOST_WRITTEN = 40  # classes: beyond, the figure grows no further, and cells are too small for numbers
STRIP = 7  # points


def confusion_figure(
    matrix: np.ndarray | Sequence[Sequence[int]],
    class_names: Sequence[str],
    target: canvas.Target,
    *,
    ignore_classes: Collection[int] = (),
    own_colours: colours.OwnColours = None,
    title: str = "Confusion matrix",
) -> None:
    """Draw a confusion matrix: for each row its shares and numbers of pixels, with its sum beside it.

    A matrix of more than MOST_WRITTEN classes is drawn in colours only, without numbers.

    Args:
        matrix: Numbers of pixels, (K, K): rows are the truth, columns the prediction.
        class_names: The name of each class, (K,).
        target: The path of the PNG file to write, or a file that is open for writing bytes.
        ignore_classes: The classes that are marked as ignored.
        own_colours: The colours of the data set, for `class_colours`.
        title: The title of the figure.
    """
    counts = np.asarray(matrix, dtype=np.int64)
    support = counts.sum(axis=1)
    shares = counts / np.maximum(support, 1)[:, None]
    size = len(counts)
    longest = max(len(name) for name in class_names)

    cell = CELL * min(1, MOST_WRITTEN / size)
    side = cell * size
    figure = Figure(figsize=(max(side + 0.09 * longest + 2.4, 6.5), side + 0.06 * longest + 2.0), layout="constrained")
    axes = figure.subplots()
    axes.imshow(shares, cmap=SHADES, vmin=0, vmax=1)
    if size <= MOST_WRITTEN:
        for row in range(size):
            if support[row]:
                _write_row(axes, row, counts[row], shares[row])
            else:
                _strike_row(axes, row, size)
            _write_support(axes, row, size, int(support[row]), int(support.sum()))
        axes.text(size - 0.3, -0.62, "support", fontsize=canvas.LABEL_SIZE, va="bottom", color=colours.INK)
    _label(axes, class_names, ignore_classes, min(canvas.LABEL_SIZE, 0.75 * 72 * cell))
    _add_strips(axes, colours.class_colours(class_names, ignore_classes, own_colours))
    figure.suptitle(title, x=0.01, ha="left", fontsize=canvas.TITLE_SIZE, parse_math=False)
    canvas.write(figure, target)


def count_text(count: int) -> str:
    """Return a number of pixels as text: in full below ten thousand, else with three digits (12.3 k, 4.56 M).

    >>> count_text(12345)
    '12.3 k'
    """
    for least, factor, unit in ((10**9, 10**9, " G"), (10**6, 10**6, " M"), (10**4, 10**3, " k")):
        if count >= least:
            return f"{count / factor:#.3g}".rstrip(".") + unit
    return str(count)


def _write_row(axes: Axes, row: int, counts: np.ndarray, shares: np.ndarray) -> None:
    for column, share in enumerate(shares):
        text = "0" if not counts[column] else f"{100 * share:.1f} %" if share >= 0.0005 else "<0.1 %"
        colour = "white" if share > WHITE_TEXT_ABOVE else colours.INK if counts[column] else canvas.MUTED
        weight = "bold" if column == row else "normal"
        axes.text(
            *(column, row - (0.1 if counts[column] else 0), text),
            ha="center",
            va="center",
            fontsize=canvas.LABEL_SIZE + 1,
            color=colour,
            fontweight=weight,
        )
        if counts[column]:
            size = canvas.NOTE_SIZE - 1
            axes.text(
                column, row + 0.22, count_text(counts[column]), ha="center", va="center", fontsize=size, color=colour
            )


def _strike_row(axes: Axes, row: int, size: int) -> None:
    axes.add_patch(
        Rectangle((-0.5, row - 0.5), size, 1, facecolor="#f4f4f4", edgecolor=canvas.GRID, hatch="//", linewidth=0)
    )
    box = {"facecolor": "#f4f4f4", "edgecolor": "none", "pad": 3}
    axes.text(
        (size - 1) / 2,
        row,
        "no pixels",
        ha="center",
        va="center",
        fontsize=canvas.LABEL_SIZE,
        color=canvas.MUTED,
        bbox=box,
    )


def _write_support(axes: Axes, row: int, size: int, support: int, total: int) -> None:
    share = f"\n{100 * support / total:.1f} %" if support else ""
    axes.text(
        size - 0.3, row, f"{count_text(support)} px{share}", va="center", fontsize=canvas.NOTE_SIZE, color=colours.INK
    )


def _label(axes: Axes, class_names: Sequence[str], ignore_classes: Collection[int], fontsize: float) -> None:
    size = len(class_names)
    names = [f"{name}\n(ignored)" if index in ignore_classes else name for index, name in enumerate(class_names)]
    slant: dict[str, Any] = (
        {"rotation": 40, "ha": "right", "rotation_mode": "anchor"} if max(map(len, class_names)) > 9 else {}
    )
    axes.set_xticks(range(size), class_names, fontsize=fontsize, **slant)
    axes.set_yticks(range(size), names, fontsize=fontsize)
    canvas.verbatim([*axes.get_xticklabels(), *axes.get_yticklabels()])
    axes.set_xlabel("predicted class", fontsize=canvas.LABEL_SIZE, labelpad=8)
    axes.set_ylabel("true class", fontsize=canvas.LABEL_SIZE, labelpad=8)

    axes.set_xticks(np.arange(size + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(size + 1) - 0.5, minor=True)
    axes.grid(which="minor", color=canvas.GRID, linewidth=1)
    axes.tick_params(which="both", length=0)
    axes.tick_params(which="major", pad=STRIP + 5)
    axes.spines[:].set_visible(False)


def _add_strips(axes: Axes, palette: np.ndarray) -> None:
    """Draw the colour of each class beside its row and below its column, just outside the matrix."""
    away = (STRIP / 2 + 2) / 72
    scale = axes.figure.dpi_scale_trans
    beside = axes.get_yaxis_transform() + ScaledTranslation(-away, 0, scale)
    below = axes.get_xaxis_transform() + ScaledTranslation(0, -away, scale)
    for index, colour in enumerate(palette):
        style: dict[str, Any] = {
            "color": colours.hex_code(colour),
            "linewidth": STRIP,
            "solid_capstyle": "butt",
            "clip_on": False,
        }
        span = (index - 0.47, index + 0.47)
        axes.add_artist(Line2D((0, 0), span, transform=beside, **style))
        axes.add_artist(Line2D(span, (0, 0), transform=below, **style))
