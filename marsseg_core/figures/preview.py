"""Draw a preview of an augmentation: images before and after it, each also with its labels over it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from ..data.channels import to_colour
from .canvas import DPI, LABEL_SIZE, MUTED, TITLE_SIZE, Target, verbatim, write
from .colours import INK, NEUTRAL, OwnColours, class_colours, hex_code, paint
from .panels import stretched, striped

PANEL = 288  # the longer side of a picture, in pixels, as are the lengths below
GAP = 10
HEADING = 34
CAPTION = 30
LEGEND = 50
OPACITY = 0.5


@dataclass(frozen=True, eq=False)
class Example:
    """A row of the preview: a title, and pairs of an image and its mask; the first pair is the original.

    Images are (H, W, C) float32 in [0, 1], masks (H, W) uint8.
    """

    title: str
    pairs: Sequence[tuple[np.ndarray, np.ndarray]]


def preview_sheet(
    rows: Sequence[Example],
    headings: Sequence[str],
    class_names: Sequence[str],
    target: Target,
    *,
    ignore_classes: Collection[int] = (),
    own_colours: OwnColours = None,
) -> None:
    """Draw the images of each row, each one alone and with its labels over it.

    Void pixels are striped; pixels of ignored classes have no colour over them. `headings` are the titles of the
    columns, one for each pair of a row.
    """
    colours = class_colours(class_names, ignore_classes, own_colours)
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
            # The contrast of the whole row is stretched alike, so that a change of brightness is visible.
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
    """Convert an image (H, W, C) in [0, 1] to (h, w, 3) uint8, with black at `low` and white at `high`."""
    shades = (255 * np.clip((to_colour(image) - low) / max(high - low, 1 / 255), 0, 1)).astype(np.uint8)
    return np.stack([stretched(shades[..., channel], size) for channel in range(3)], axis=-1)


def _overlaid(picture: np.ndarray, ids: np.ndarray, colours: np.ndarray, ignore_classes: Collection[int]) -> np.ndarray:
    """Return a copy of the picture (h, w, 3) with the colours of the classes `ids` (h, w) over it."""
    void = ids >= len(colours)
    coloured = ~void & ~np.isin(ids, list(ignore_classes))
    over = picture.copy()
    mixed = (1 - OPACITY) * picture + OPACITY * paint(ids, colours)
    over[coloured] = mixed.astype(np.uint8)[coloured]
    return striped(over, void)
