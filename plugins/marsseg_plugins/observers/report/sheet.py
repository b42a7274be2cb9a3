"""Draw a sheet of tiles: image, truth, prediction and error side by side."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from marsseg_core.plugin_api import canvas, colours, panels

COLUMNS = ("image, contrast stretched", "truth", "prediction", "error, coloured as predicted")
PANEL = 512  # side of the square that every panel fits into; this and the lengths below are in pixels
GAP = 14
CAPTION = 40
HEADING = 36
CAPTION_SIZE = 11  # points
LEGEND_ROW = 44
LEGEND_COLUMNS = 6

FADE = 0.8  # how far correctly predicted pixels are faded towards white
CORRECT = "#ececec"


@dataclass(frozen=True, eq=False)
class Tile:
    """Hold one row of the sheet: image (H, W, C) uint8, and truth and prediction (H, W) uint8 class ids."""

    title: str
    image: np.ndarray
    truth: np.ndarray
    prediction: np.ndarray


def tile_sheet(
    rows: Sequence[Tile],
    class_names: Sequence[str],
    target: canvas.Target,
    *,
    ignore_classes: Collection[int] = (),
    own_colours: colours.OwnColours = None,
) -> None:
    """Draw each tile as image, truth, prediction and error, with one legend for all.

    Unlabelled pixels are striped in all panels except the image: the network predicts a class there, but the prediction
    cannot be scored.
    """
    palette = colours.class_colours(class_names, ignore_classes, own_colours)
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
            text = figure.text(x, y, caption, fontsize=CAPTION_SIZE, color=colours.INK, parse_math=False)
            canvas.fit_width(text, PANEL)
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
    """Choose typical and worst images; return the indices of both.

    `scores` (N,) float are the scores of the images, NaN where an image has none. The worst images have the most
    `wrong` pixels (N,), most first: a low score can come from a few labelled pixels. The typical images have the scores
    nearest to the median, nearest first. No image is in both lists: if there are few images, the lists share them
    evenly. Among equal images, the lower index comes first.
    """
    scores = np.asarray(scores, dtype=float)
    scored = np.flatnonzero(~np.isnan(scores))
    if not len(scored):
        return [], []
    worst = min(worst, max(len(scored) - typical, len(scored) // 2))
    by_wrong_pixels = scored[np.argsort(-np.asarray(wrong)[scored], kind="stable")]
    worst_items, rest = by_wrong_pixels[:worst], np.sort(by_wrong_pixels[worst:])
    distance = np.abs(scores[rest] - np.median(scores[scored]))
    nearest = rest[np.argsort(distance, kind="stable")][:typical]
    return nearest.tolist(), worst_items.tolist()


def labelled(truth: np.ndarray, num_classes: int, ignore_classes: Collection[int]) -> np.ndarray:
    """Return where the truth (H, W) counts in scores, (H, W) bool: not void, and not an ignored class."""
    counted: np.ndarray = (truth < num_classes) & ~np.isin(truth, list(ignore_classes))
    return counted


def errors(truth: np.ndarray, prediction: np.ndarray, num_classes: int, ignore_classes: Collection[int]) -> np.ndarray:
    """Return which labelled pixels are predicted wrongly, (H, W) bool."""
    wrong: np.ndarray = labelled(truth, num_classes, ignore_classes) & (truth != prediction)
    return wrong


def tile_panels(tile: Tile, palette: np.ndarray, ignore_classes: Collection[int]) -> tuple[np.ndarray, ...]:
    """Return the panels of a tile, uint8: image (H, W, 3), truth, prediction and error (h, w, 3).

    (h, w) is the size of a panel in pixels.
    """
    size = _panel_size(tile.truth)
    truth, prediction = panels.stretched(tile.truth, size), panels.stretched(tile.prediction, size)
    unscored = ~labelled(truth, len(palette), ignore_classes)
    wrong = errors(truth, prediction, len(palette), ignore_classes)

    image = panels.brightened(tile.image)
    grey = panels.stretched(image.mean(axis=-1), size)
    error = np.repeat((grey + FADE * (255 - grey)).astype(np.uint8)[..., None], 3, axis=-1)
    # Ignored classes are grey, which cannot be seen on grey. Where one is predicted on labelled pixels, it is dark.
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
    """Return the height and width in pixels at which a picture (H, W) fills its panel."""
    height, width = ids.shape
    scale = PANEL / max(height, width)
    return max(1, round(height * scale)), max(1, round(width * scale))


def _error_caption(tile: Tile, num_classes: int, ignore_classes: Collection[int]) -> str:
    counted = labelled(tile.truth, num_classes, ignore_classes).sum()
    wrong = errors(tile.truth, tile.prediction, num_classes, ignore_classes).sum()
    return f"{100 * wrong / counted:.1f} % of the labelled pixels are wrong" if counted else "no labelled pixels"


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
    patches.append(Patch(facecolor=CORRECT, label="correct (faded image)", **edge))
    predicted_as_ignored = [
        errors(t.truth, t.prediction, len(palette), ignore_classes) & np.isin(t.prediction, list(ignore_classes))
        for t in rows
    ]
    if any(pixels.any() for pixels in predicted_as_ignored):
        names = ", ".join(class_names[index] for index in sorted(ignore_classes))
        patches.append(Patch(facecolor=colours.INK, label=f"labelled, but predicted as {names}", **edge))
    return patches
