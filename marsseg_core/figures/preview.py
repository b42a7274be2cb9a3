"""What an augmentation does: tiles before and after it, with their labels laid over them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from ..data.channels import to_colour
from .canvas import DPI, LABEL_SIZE, MUTED, TITLE_SIZE, Target, verbatim, write
from .colours import INK, NEUTRAL, class_colours, hex_code, paint
from .panels import stretched, striped

PANEL = 288  # longer side of a picture in pixels, like the lengths below
GAP = 10
HEADING = 34
CAPTION = 30
LEGEND = 50
OPACITY = 0.5


@dataclass(frozen=True, eq=False)
class Example:
    """A row: a title and pairs of image (H, W, C) float32 in [0, 1] and mask (H, W) uint8, the first as it was."""

    title: str
    pairs: Sequence[tuple[np.ndarray, np.ndarray]]


def preview_sheet(
    rows: Sequence[Example],
    headings: Sequence[str],
    class_names: Sequence[str],
    target: Target,
    *,
    ignore_classes: Collection[int] = (),
) -> None:
    """Draw each row's images, and each again under its labels; void is striped, ignored classes stay bare."""
    colours = class_colours(len(class_names), ignore_classes)
    height, width = rows[0].pairs[0][1].shape
    size = (max(1, round(height * PANEL / max(height, width))), max(1, round(width * PANEL / max(height, width))))
    columns = 2 * len(rows[0].pairs)
    whole_width = columns * (size[1] + GAP) + GAP
    whole_height = HEADING + len(rows) * (CAPTION + size[0] + GAP) + LEGEND
    figure = Figure(figsize=(whole_width / DPI, whole_height / DPI), dpi=DPI)
    for index, heading in enumerate(headings):
        x = (GAP + 2 * index * (size[1] + GAP)) / whole_width
        figure.text(x, 1 - HEADING / whole_height, heading, fontsize=TITLE_SIZE, fontweight="bold", va="bottom")
    top = HEADING
    for row in rows:
        top += CAPTION
        figure.text(
            GAP / whole_width, 1 - (top - 7) / whole_height, row.title, fontsize=LABEL_SIZE, color=INK, parse_math=False
        )
        low, high = np.percentile(row.pairs[0][0], (0.5, 99.5))
        for index, (image, mask) in enumerate(row.pairs):
            # The same stretch for the whole row: what changes the brightness must be seen to.
            grey = _shades(image, float(low), float(high), size)
            for offset, picture in enumerate((grey, _overlaid(grey, stretched(mask, size), colours, ignore_classes))):
                left = GAP + (2 * index + offset) * (size[1] + GAP)
                box = (left, whole_height - top - size[0], size[1], size[0])
                scaled = (box[0] / whole_width, box[1] / whole_height, box[2] / whole_width, box[3] / whole_height)
                axes = figure.add_axes(scaled)
                axes.imshow(picture, aspect="auto")
                axes.set_axis_off()
        top += size[0] + GAP
    patches = [
        Patch(facecolor=hex_code(colours[index]), edgecolor=MUTED, linewidth=0.6, label=name)
        for index, name in enumerate(class_names)
        if index not in ignore_classes
    ]
    patches.append(Patch(facecolor=NEUTRAL, edgecolor=MUTED, linewidth=0.6, hatch="////", label="void"))
    legend = figure.legend(
        handles=patches, loc="lower left", bbox_to_anchor=(0, 0), ncols=len(patches), frameon=False, fontsize=TITLE_SIZE
    )
    verbatim(legend.get_texts())
    write(figure, target)


def _shades(image: np.ndarray, low: float, high: float, size: tuple[int, int]) -> np.ndarray:
    """(H, W, C) in [0, 1] → (h, w, 3) uint8, from black at `low` to white at `high`."""
    shades = (255 * np.clip((to_colour(image) - low) / max(high - low, 1 / 255), 0, 1)).astype(np.uint8)
    return np.stack([stretched(shades[..., channel], size) for channel in range(3)], axis=-1)


def _overlaid(picture: np.ndarray, ids: np.ndarray, colours: np.ndarray, ignore_classes: Collection[int]) -> np.ndarray:
    void = ids >= len(colours)
    coloured = ~void & ~np.isin(ids, list(ignore_classes))
    over = picture.copy()
    mixed = (1 - OPACITY) * picture + OPACITY * paint(ids, colours)
    over[coloured] = mixed.astype(np.uint8)[coloured]
    return striped(over, void)
