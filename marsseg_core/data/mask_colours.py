"""Convert the colours of a mask to class ids, and say what is wrong with colours of no class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from ..conventions import VOID
from ..errors import counted
from .image_files import refuse_file

# More different colours of no class than these are those of interpolation or of a lossy compression, not of a class.
_MOST_FORGOTTEN: Final = 8

_REPAIR: Final = (
    "Export the mask again without interpolation, smooth edges and JPEG. If you cannot, give each pixel the nearest "
    "colour of a class, as the documentation shows (How do I … repair a mask with other colours?)."
)
_ADD: Final = "Add the colour to the class file (as void, if it is not a class), or change these pixels."


def ids_of_colours(
    path: Path | str,
    pixels: np.ndarray,
    palette: Mapping[tuple[int, int, int], int],
    names: Sequence[str] | None,
    hint: str,
) -> np.ndarray:
    """Convert colours (H, W, 3) to the ids (H, W) that the palette has for them; refuse others.

    `names` are those of the classes, for the message, which ends with `hint`.
    """
    ids = np.zeros(pixels.shape[:2], np.uint8)
    known = np.zeros(pixels.shape[:2], bool)
    for colour, label in palette.items():
        here = (pixels == np.array(colour, np.uint8)).all(axis=-1)
        ids[here] = label
        known |= here
    if not known.all():
        _refuse(path, pixels, ~known, palette, names, hint)
    return ids


def _refuse(
    path: Path | str,
    pixels: np.ndarray,
    stray: np.ndarray,
    palette: Mapping[tuple[int, int, int], int],
    names: Sequence[str] | None,
    hint: str,
) -> None:
    colours = pixels[stray].astype(np.int64)
    row, column = np.argwhere(stray)[0].tolist()
    same = int((colours == colours[0]).all(axis=-1).sum())
    different = len(np.unique(colours @ (65536, 256, 1)))
    nearest = min(palette, key=lambda colour: int(((colours[0] - colour) ** 2).sum()))
    label = palette[nearest]
    name = "void" if label == VOID else names[label] if names else f"class {label}"
    lines = [
        f"The mask has the colour {_text(colours[0].tolist())}, which belongs to no class.",
        f"{same:,} of its {stray.size:,} pixels {'has' if same == 1 else 'have'} it, the first in row {row}, column "
        f"{column} (counted from 0). The nearest colour is {_text(nearest)}, {name}.",
    ]
    if different > 1:
        others = counted(different - 1, "other colour")
        lines.append(f"{counted(len(colours) - same, 'more pixel has', 'more pixels have')} {others} of no class.")
    many = different > _MOST_FORGOTTEN
    if many:
        lines.append("So many colours mean that the mask was interpolated, smoothed or compressed as JPEG.")
    refuse_file(path, " ".join(lines), hint=f"{_REPAIR if many else _ADD} {hint}".rstrip())


def _text(colour: Sequence[int]) -> str:
    return ",".join(map(str, colour))
