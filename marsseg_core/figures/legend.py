"""Draw a legend: the names of classes beside their colours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ..printable import printable
from .colours import INK

_FONT_SIZE: Final = 18
_LINE: Final = 28
_MARGIN: Final = 10
_PAGE: Final = "#ffffff"


def legend(class_names: Sequence[str], colours: np.ndarray) -> np.ndarray:
    """Return a picture with a line for each class.

    Args:
        class_names: The names of the K classes.
        colours: The colour of each class, (K, 3) uint8.

    Returns:
        An RGB picture, (h, w, 3) uint8.
    """
    font = ImageFont.load_default(_FONT_SIZE)
    names = [printable(name) for name in class_names]
    left = 2 * _MARGIN + _LINE
    width = left + int(max(map(font.getlength, names))) + 1 + _MARGIN
    picture = Image.new("RGB", (width, _LINE * len(names) + 2 * _MARGIN), _PAGE)
    draw = ImageDraw.Draw(picture)
    for number, (name, colour) in enumerate(zip(names, colours, strict=True)):
        top = _MARGIN + number * _LINE
        box = (_MARGIN, top + 3, _MARGIN + _LINE, top + _LINE - 4)
        draw.rectangle(box, fill=tuple(map(int, colour)), outline=INK)
        draw.text((left, top + _LINE / 2), name, fill=INK, font=font, anchor="lm")
    return np.asarray(picture)
