"""Draw learning curves: losses, their weights, validation scores and the learning rate over the epochs."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from math import ceil, isfinite
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.ticker import FormatStrFormatter, MaxNLocator

from ..conventions import HEADLINE
from ..planning.metrics import metric_table
from . import canvas, colours

History = Sequence[Mapping[str, Any]]

DASHES = ((0, (5, 1.5)), (0, (1, 1.2)), (0, (6, 1.5, 1, 1.5)), (0, (3, 1.2, 1, 1.2, 1, 1.2)))
MARKED_EPOCHS = 30
UNLISTED = "_"
LEGEND_ROWS = 14
LOG_SPAN = 20.0
RATE_LOG_SPAN = 2.0  # schedules multiply the rate, so its steps are equal on a logarithmic axis


def learning_curves(
    history: History,
    target: canvas.Target,
    *,
    class_names: Sequence[str],
    ignore_classes: Collection[int] = (),
    own_colours: colours.OwnColours = None,
    best_epoch: int | None = None,
    best_by: str = f"val_{HEADLINE}",
) -> None:
    """Draw losses, validation scores and learning rate over the epochs; with several losses their weights, too.

    Args:
        history: One mapping for each epoch, with the columns `epoch` (from 1), `loss`, `val_loss`, `loss_<name>`,
            `weight_<name>`, `semi`, `val_miou`, `val_iou_<class>` and `learning_rate`. A value that is missing, None or
            not finite is not drawn.
        target: The path of the PNG file to write, or a file that is open for writing bytes.
        class_names: The name of each class.
        ignore_classes: The classes whose IoU is not drawn.
        own_colours: The colours of the data set, for `class_colours`.
        best_epoch: The epoch of the saved network, from 1, which is marked; None for no mark.
        best_by: The column by which the best network is chosen. It is drawn in addition to `val_miou`.
    """
    weighted = bool(_columns(history, "weight_"))
    figure = Figure(figsize=(10, 9.5 + 2.2 * weighted), layout=ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.12))
    ratios = (3, 2, 4, 1.5) if weighted else (3, 4, 1.5)
    panels = list(figure.subplots(len(ratios), 1, sharex=True, height_ratios=ratios))
    losses, scores, rate = panels[0], panels[-2], panels[-1]
    _draw_losses(losses, history)
    palette = colours.class_colours(class_names, ignore_classes, own_colours)
    _draw_scores(scores, history, class_names, ignore_classes, palette, best_epoch, best_by)
    _draw_rate(rate, history)
    if weighted:
        _draw_weights(panels[1], history)
    for axes in panels:
        _finish(axes, best_epoch)
    _add_legend(losses)
    if weighted:
        _add_legend(panels[1])
    _add_legend(scores, title=None if best_epoch is None else f"saved network: epoch {best_epoch}")

    epochs = [_epoch(row, index) for index, row in enumerate(history)] or [1]
    pad = max(0.5, 0.015 * (epochs[-1] - epochs[0]))
    rate.set_xlim(epochs[0] - pad, epochs[-1] + pad)
    rate.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1, steps=[1, 2, 5, 10]))
    rate.set_xlabel("epoch", fontsize=canvas.LABEL_SIZE)
    canvas.write(figure, target)


def points(history: History, key: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the epochs and the values of one column of a history, where the value is a finite number.

    Args:
        history: One mapping for each epoch.
        key: The name of the column, such as "val_loss".

    Returns:
        Two arrays (n,) float: the epochs, from 1, and the values.
    """
    rows = [
        (_epoch(row, index), float(row[key]))
        for index, row in enumerate(history)
        if row.get(key) is not None and isfinite(row[key])
    ]
    pairs = np.array(rows, dtype=float).reshape(-1, 2)
    return pairs[:, 0], pairs[:, 1]


def _draw_losses(axes: Axes, history: History) -> None:
    axes.set_title("Losses", loc="left", fontsize=canvas.TITLE_SIZE)
    _line(axes, history, "loss", "training objective", color=colours.INK, linewidth=2)
    _line(axes, history, "val_loss", "validation objective", color=colours.INK, linewidth=2, linestyle=DASHES[0])
    for index, key in enumerate(_columns(history, "loss_")):
        # Single losses are grey with different dashes, because a colour always stands for a class.
        name = key.removeprefix("loss_")
        _line(axes, history, key, f"{name} (training)", color=canvas.MUTED, linestyle=DASHES[(index + 1) % len(DASHES)])
    _line(axes, history, "semi", "images without labels (training)", color=canvas.MUTED, linestyle="-")
    _log_if_wide(axes)
    axes.set_ylabel("loss", fontsize=canvas.LABEL_SIZE)


def _draw_weights(axes: Axes, history: History) -> None:
    axes.set_title("Weight of each loss in the objective", loc="left", fontsize=canvas.TITLE_SIZE)
    for index, key in enumerate(_columns(history, "weight_")):
        name = key.removeprefix("weight_")
        _line(axes, history, key, name, color=canvas.MUTED, linestyle=DASHES[(index + 1) % len(DASHES)])
    _log_if_wide(axes)
    axes.set_ylabel("weight", fontsize=canvas.LABEL_SIZE)


def _columns(history: History, prefix: str) -> list[str]:
    return sorted({key for row in history for key in row if key.startswith(prefix)})


def _draw_scores(
    axes: Axes,
    history: History,
    class_names: Sequence[str],
    ignore_classes: Collection[int],
    palette: np.ndarray,
    best_epoch: int | None,
    best_by: str,
) -> None:
    axes.set_title(
        "Validation: intersection over union (IoU), mean and per class", loc="left", fontsize=canvas.TITLE_SIZE
    )
    for index, name in enumerate(class_names):
        if index in ignore_classes:
            continue
        key = f"val_iou_{name}"
        # The colours beyond the chosen ones are less distinct, so they are dashed.
        dashes = "solid" if index < len(colours.FIRST) else DASHES[index % len(DASHES)]
        label = name + _value_at(history, key, best_epoch)
        _line(
            axes,
            history,
            key,
            label,
            color=colours.hex_code(palette[index]),
            linestyle=dashes,
            cased=index < len(colours.FIRST),
        )
    table, headline = metric_table(), f"val_{HEADLINE}"
    label = f"mean ({table.label(HEADLINE)})" + _value_at(history, headline, best_epoch)
    _line(axes, history, headline, label, color=colours.INK, linewidth=3)
    low, high, unit = 0.0, 1.0, "IoU"
    if best_by != headline and not best_by.startswith("val_iou_"):  # those are drawn already
        values = points(history, best_by)[1].tolist()  # may be outside 0 to 1: a kappa, for example, can be negative
        low, high, unit = min([low, *values]), max([high, *values]), "score"
        label = table.label(best_by.removeprefix("val_")) + _value_at(history, best_by, best_epoch)
        _line(axes, history, best_by, label, color=colours.INK, linewidth=2, linestyle=DASHES[0])
    margin = 0.02 * (high - low)
    axes.set_ylim(low - margin, high + margin)
    axes.set_ylabel(unit, fontsize=canvas.LABEL_SIZE)


def _draw_rate(axes: Axes, history: History) -> None:
    axes.set_title("Learning rate", loc="left", fontsize=canvas.TITLE_SIZE)
    _line(axes, history, "learning_rate", "learning rate", color=colours.INK, linewidth=1.6)
    _log_if_wide(axes, RATE_LOG_SPAN)
    if axes.get_yscale() == "linear":
        # Otherwise the axis of a constant rate would show rounding errors only.
        axes.set_ylim(bottom=0)
    axes.set_ylabel("rate", fontsize=canvas.LABEL_SIZE)


def _line(axes: Axes, history: History, key: str, label: str, *, cased: bool = False, **style: Any) -> None:
    """Draw one column of the history; a `cased` line has a darker edge, which makes light colours visible on white."""
    epochs, values = points(history, key)
    if not len(epochs):
        return
    style = {"linewidth": 1.8, "marker": "o" if len(epochs) <= MARKED_EPOCHS else None, "markersize": 5} | style
    line = Line2D(epochs, values, label=label, **style)
    if cased:
        axes.add_line(Line2D(epochs, values, color=canvas.MUTED, linewidth=line.get_linewidth() + 0.9, label=UNLISTED))
        line.set(markeredgecolor=canvas.MUTED, markeredgewidth=0.6, linewidth=line.get_linewidth() + 0.2, markersize=6)
    axes.add_line(line)
    axes.autoscale_view()


def _value_at(history: History, key: str, epoch: int | None) -> str:
    """Return the value of a column at an epoch as text for the legend; empty if there is none."""
    epochs, values = points(history, key)
    values_at = values[epochs == epoch] if epoch is not None else values[:0]
    return f"  {values_at[0]:.3f}" if len(values_at) else ""


def _log_if_wide(axes: Axes, span: float = LOG_SPAN) -> None:
    values = np.concatenate([np.asarray(line.get_ydata(), dtype=float) for line in axes.lines] or [np.zeros(1)])
    if values.min() > 0 and values.max() >= span * values.min():
        axes.set_yscale("log")
        axes.set_title(axes.get_title(loc="left") + " (log scale)", loc="left", fontsize=canvas.TITLE_SIZE)
    else:
        axes.yaxis.set_major_formatter(FormatStrFormatter("%g"))


def _finish(axes: Axes, best_epoch: int | None) -> None:
    axes.grid(color=canvas.GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=canvas.NOTE_SIZE, labelbottom=True)
    axes.tick_params(axis="y", which="minor", labelsize=canvas.NOTE_SIZE)  # a short logarithmic axis has no others
    if not axes.lines:
        axes.text(0.5, 0.5, "nothing recorded", transform=axes.transAxes, ha="center", va="center", color=canvas.MUTED)
        axes.set_yticks([])
        return
    if best_epoch is not None:
        axes.axvline(
            best_epoch, color=canvas.MUTED, linewidth=1, linestyle=(0, (2, 2)), label="saved network", zorder=1
        )


def _add_legend(axes: Axes, title: str | None = None) -> None:
    handles = [line for line in axes.lines if line.get_label() != UNLISTED]
    if not handles:
        return
    legend = axes.legend(
        handles,
        [str(handle.get_label()) for handle in handles],
        loc="upper left",
        bbox_to_anchor=(1.01, 1.0),
        borderaxespad=0,
        frameon=False,
        fontsize=canvas.NOTE_SIZE,
        handlelength=3.2,
        title=title,
        title_fontsize=canvas.NOTE_SIZE,
        alignment="left",
        ncols=ceil(len(handles) / LEGEND_ROWS),
    )
    canvas.verbatim(legend.get_texts())


def _epoch(row: Mapping[str, Any], index: int) -> int:
    return int(row.get("epoch", index + 1))
