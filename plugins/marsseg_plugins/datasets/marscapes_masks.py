"""Convert the colours of MarsScapes' masks to class ids."""

from __future__ import annotations

from collections import Counter
from typing import Final

import numpy as np

from marsseg_core.plugin_api import VOID, Colour, ImageReader, read_image, refuse_file

from .pairs import Pair

# The classes 0 to 7 and their colours in the masks. Black is void.
CLASSES: Final = ("soil", "bedrock", "gravel", "sand", "big_rock", "steep_slope", "sky", "unknown")
COLOURS: Final[tuple[Colour, ...]] = (
    (0, 0, 255),
    (0, 255, 0),
    (255, 0, 0),
    (255, 0, 255),
    (255, 255, 0),
    (0, 255, 255),
    (34, 56, 19),
    (170, 85, 0),
)

_BLACK: Final = (0, 0, 0)

# At most this many unknown colours are named in a message.
_NAMED: Final = 3


class ColourReader:
    """Read an image (H, W, C) and its mask in colour as class ids (H, W); black and unknown colours become void."""

    def __init__(self, picture: ImageReader, limit: int) -> None:
        self._picture = picture
        self._limit = limit
        known = {**{colour: label for label, colour in enumerate(COLOURS)}, _BLACK: VOID}
        self._codes = np.array(sorted(map(_code, known)))
        ids = {_code(colour): label for colour, label in known.items()}
        self._ids = np.array([ids[code] for code in self._codes.tolist()], np.uint8)
        self._unknown: Counter[int] = Counter()
        self._pixels = 0

    def __call__(self, pair: Pair) -> tuple[np.ndarray, np.ndarray]:
        image, colours = self._picture(pair.image), read_image(pair.mask, limit=self._limit)
        if colours.shape[2] != len(_BLACK):
            refuse_file(pair.mask, "This mask is grey; the masks of MarsScapes are in colour.")
        if colours.shape[:2] != image.shape[:2]:
            sizes = [f"{rows} × {columns}" for rows, columns in (colours.shape[:2], image.shape[:2])]
            refuse_file(pair.mask, f"The mask has {sizes[0]} pixels, but its image has {sizes[1]}.")
        codes = (colours.astype(np.int32) * (1 << 16, 1 << 8, 1)).sum(axis=2)
        places = np.searchsorted(self._codes, codes).clip(max=len(self._codes) - 1)
        unknown = self._codes[places] != codes
        for code, count in zip(*np.unique(codes[unknown], return_counts=True), strict=True):
            self._unknown[int(code)] += int(count)
        self._pixels += codes.size
        return image, np.where(unknown, VOID, self._ids[places]).astype(np.uint8)

    def remarks(self) -> list[str]:
        """Return a warning that counts the pixels of unknown colours, as a list; an empty list if there are none."""
        if not self._unknown:
            return []
        named = [f"({code >> 16}, {code >> 8 & 255}, {code & 255})" for code, _ in self._unknown.most_common(_NAMED)]
        more = len(self._unknown) - len(named)
        share = 100 * sum(self._unknown.values()) / self._pixels
        return [
            f"{share:.3g} % of the pixels of the masks have colours that stand for no class, and are void: "
            f"{', '.join(named)}{f' and {more:,} more' if more else ''}."
        ]


def _code(colour: Colour) -> int:
    red, green, blue = colour
    return red << 16 | green << 8 | blue
