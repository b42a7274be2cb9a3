"""Draw the curves of the runs of a series over each other: the objective and the score of each epoch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from . import canvas, colours
from .curves import DASHES, MARKED_EPOCHS, History, points

# More names of runs would cover the figure. Their lines are drawn.
_NAMED = 10


@dataclass(frozen=True)
class Curve:
    """The history of a run, and the column by which its best network was chosen."""

    history: History
    best_by: str


def series_curves(runs: Mapping[str, Curve], target: canvas.Target) -> None:
    """Draw a line for each run, by its name, in two panels: the training objective, and the validation score."""
    figure = Figure(figsize=(10, 3.6), layout="constrained")
    losses, scores = figure.subplots(1, 2)
    _draw(losses, {name: (run.history, "loss") for name, run in runs.items()}, "Training objective")
    columns = dict.fromkeys(run.best_by for run in runs.values())
    _draw(scores, {name: (run.history, run.best_by) for name, run in runs.items()}, ", ".join(columns))
    lines = losses.lines[:_NAMED]
    legend = figure.legend(
        lines, [str(line.get_label()) for line in lines], loc="outside right upper", frameon=False, handlelength=3.2
    )
    canvas.verbatim(legend.get_texts())
    canvas.write(figure, target)


def _draw(axes: Axes, lines: Mapping[str, tuple[History, str]], title: str) -> None:
    canvas.verbatim([axes.set_title(title, loc="left", fontsize=canvas.TITLE_SIZE)])
    for index, (name, (history, column)) in enumerate(lines.items()):
        epochs, values = points(history, column)
        # A colour stands for a class in all figures, so runs differ by their dashes.
        style: Any = ("solid", *DASHES)[index % (1 + len(DASHES))]
        marker = "o" if len(epochs) <= MARKED_EPOCHS else None
        line = Line2D(epochs, values, label=name, color=colours.INK, linestyle=style, linewidth=1.4, marker=marker)
        line.set_markersize(4)
        axes.add_line(line)
    axes.autoscale_view()
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.set_xlabel("epoch", fontsize=canvas.LABEL_SIZE)
    axes.grid(color=canvas.GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=canvas.NOTE_SIZE)
