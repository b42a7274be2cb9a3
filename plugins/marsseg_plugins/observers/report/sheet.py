"""Tiles side by side: image, truth, prediction, error."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from marsseg_core.plugin_api import canvas, colours, panels

COLUMNS = ("image, contrast stretched", "truth", "prediction", "error, coloured as predicted")
PANEL = 512  # every panel fits a square of this side; like the lengths below in pixels
GAP = 14
CAPTION = 40
HEADING = 36
CAPTION_SIZE = 11  # points
LEGEND_ROW = 44
LEGEND_COLUMNS = 6

FADE = 0.8  # of the way to white, for ground that was predicted rightly
CORRECT = "#ececec"


@dataclass(frozen=True, eq=False)
class Tile:
    """One row of the sheet: image (H, W, C) uint8, truth (H, W) and prediction (H, W) uint8 class ids."""

    title: str
    image: np.ndarray
    truth: np.ndarray
    prediction: np.ndarray


def tile_sheet(
    rows: Sequence[Tile], class_names: Sequence[str], target: canvas.Target, *, ignore_classes: Collection[int] = ()
) -> None:
    """Draw each tile as image, truth, prediction and error, under one legend.

    Ground without a label is striped wherever it is seen: the network says something there, and nobody can score it.
    """
    palette = colours.class_colours(len(class_names), ignore_classes)
    heights = [_panel_size(tile.truth)[0] for tile in rows]
    legend = _legend(class_names, palette, ignore_classes, rows)
    legend_height = LEGEND_ROW * -(-len(legend) // LEGEND_COLUMNS) + GAP
    width = 4 * PANEL + 5 * GAP
    height = HEADING + sum(heights) + (CAPTION + GAP) * len(rows) + legend_height
    figure = Figure(figsize=(width / canvas.DPI, height / canvas.DPI), dpi=canvas.DPI)

    lefts = [GAP + column * (PANEL + GAP) for column in range(4)]
    top = HEADING
    for left, heading in zip(lefts, COLUMNS, strict=True):
        figure.text(left / width, 1 - top / height, heading, fontsize=canvas.TITLE_SIZE, fontweight="bold", va="bottom")
    for tile, panel_height in zip(rows, heights, strict=True):
        top += CAPTION
        captions = (tile.title, "", "", _error_caption(tile, len(class_names), ignore_classes))
        for left, panel, caption in zip(lefts, tile_panels(tile, palette, ignore_classes), captions, strict=True):
            panel_width = _panel_size(tile.truth)[1]
            box = (left / width, 1 - (top + panel_height) / height, panel_width / width, panel_height / height)
            axes = figure.add_axes(box)
            axes.imshow(panel, aspect="auto")
            axes.set_axis_off()
            x, y = left / width, 1 - (top - 8) / height
            figure.text(x, y, caption, fontsize=CAPTION_SIZE, color=colours.INK, parse_math=False)
        top += panel_height + GAP
    texts = figure.legend(
        handles=legend,
        loc="lower left",
        bbox_to_anchor=(0, 0),
        ncols=LEGEND_COLUMNS,
        frameon=False,
        fontsize=canvas.TITLE_SIZE,
        handlelength=1.6,
        handleheight=1.2,
    ).get_texts()
    canvas.verbatim(texts)
    canvas.write(figure, target)


def choose_tiles(
    scores: np.ndarray, wrong: Sequence[int] | np.ndarray, typical: int = 4, worst: int = 4
) -> tuple[list[int], list[int]]:
    """Indices of (typical, worst) images by their scores (N,) float, NaN where an image has no score.

    The worst have the most `wrong` pixels (N,), most first: a low score may come from a few labelled pixels. The
    typical have scores nearest to the median, nearest first. None is both: where images are few, each kind gives way
    until they share them evenly. Ties go to the lower index.
    """
    scores = np.asarray(scores, dtype=float)
    scored = np.flatnonzero(~np.isnan(scores))
    if not len(scored):
        return [], []
    worst = min(worst, max(len(scored) - typical, len(scored) // 2))
    falling = scored[np.argsort(-np.asarray(wrong)[scored], kind="stable")]
    chosen, rest = falling[:worst], np.sort(falling[worst:])
    distance = np.abs(scores[rest] - np.median(scores[scored]))
    nearest = rest[np.argsort(distance, kind="stable")][:typical]
    return nearest.tolist(), chosen.tolist()


def labelled(truth: np.ndarray, num_classes: int, ignore_classes: Collection[int]) -> np.ndarray:
    """Where truth (H, W) counts in scores: (H, W) bool, neither void nor of an ignored class."""
    counted: np.ndarray = (truth < num_classes) & ~np.isin(truth, list(ignore_classes))
    return counted


def errors(truth: np.ndarray, prediction: np.ndarray, num_classes: int, ignore_classes: Collection[int]) -> np.ndarray:
    """Which labelled pixels (H, W) are predicted wrongly: (H, W) bool."""
    wrong: np.ndarray = labelled(truth, num_classes, ignore_classes) & (truth != prediction)
    return wrong


def tile_panels(tile: Tile, palette: np.ndarray, ignore_classes: Collection[int]) -> tuple[np.ndarray, ...]:
    """Image (H, W, 3), truth, prediction and error (h, w, 3) of a tile, all uint8; h, w are the panel's pixels."""
    size = _panel_size(tile.truth)
    truth, prediction = panels.stretched(tile.truth, size), panels.stretched(tile.prediction, size)
    unscored = ~labelled(truth, len(palette), ignore_classes)
    wrong = errors(truth, prediction, len(palette), ignore_classes)

    image = panels.brightened(tile.image)
    grey = panels.stretched(image.mean(axis=-1), size)
    error = np.repeat((grey + FADE * (255 - grey)).astype(np.uint8)[..., None], 3, axis=-1)
    # An ignored class would be grey on grey: where it is predicted instead of a label, it is dark.
    colours_of_errors = palette.copy()
    colours_of_errors[list(ignore_classes)] = colours.rgb(colours.INK)
    error[wrong] = colours.paint(prediction, colours_of_errors)[wrong]
    error[unscored] = colours.rgb(colours.NEUTRAL)
    return (
        image,
        panels.striped(colours.paint(truth, palette), unscored),
        panels.striped(colours.paint(prediction, palette), unscored),
        panels.striped(error, unscored),
    )


def _panel_size(ids: np.ndarray) -> tuple[int, int]:
    """Height and width in pixels at which an (H, W) picture fills its panel."""
    height, width = ids.shape
    scale = PANEL / max(height, width)
    return max(1, round(height * scale)), max(1, round(width * scale))


def _error_caption(tile: Tile, num_classes: int, ignore_classes: Collection[int]) -> str:
    counted = labelled(tile.truth, num_classes, ignore_classes).sum()
    wrong = errors(tile.truth, tile.prediction, num_classes, ignore_classes).sum()
    return f"{100 * wrong / counted:.1f} % of the labelled pixels are wrong" if counted else "nothing labelled"


def _legend(
    class_names: Sequence[str], palette: np.ndarray, ignore_classes: Collection[int], rows: Sequence[Tile]
) -> list[Patch]:
    edge: dict[str, Any] = {"edgecolor": canvas.MUTED, "linewidth": 0.6}
    patches = [
        Patch(facecolor=colours.hex_code(palette[index]), label=name, **edge)
        for index, name in enumerate(class_names)
        if index not in ignore_classes
    ]
    patches.append(Patch(facecolor=colours.NEUTRAL, hatch="////", label="no label: not scored", **edge))
    patches.append(Patch(facecolor=CORRECT, label="right (faded image)", **edge))
    lost = [
        errors(t.truth, t.prediction, len(palette), ignore_classes) & np.isin(t.prediction, list(ignore_classes))
        for t in rows
    ]
    if any(found.any() for found in lost):
        names = ", ".join(class_names[index] for index in sorted(ignore_classes))
        patches.append(Patch(facecolor=colours.INK, label=f"labelled, predicted {names}", **edge))
    return patches
