"""Read pairs whose masks hold numbers that are not yet class ids."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from marsseg_core.plugin_api import VOID, ImageReader

from .pair_reader import PairReader
from .pairs import Pair


class ValueReader:
    """Read an image (H, W, C) and its mask (H, W), whose values are converted to class ids.

    `value_names` names the values 0, 1, … that masks may hold; 255 is void. `void` are those values that become void:
    the others are numbered 0, 1, … in their order.
    """

    def __init__(
        self, picture: ImageReader, value_names: Sequence[str], limit: int, *, void: Sequence[int] = ()
    ) -> None:
        self._read = PairReader(picture, value_names, {}, False, True, limit)
        self._ids = np.full(256, VOID, np.uint8)
        classes = [value for value in range(len(value_names)) if value not in void]
        self._ids[classes] = range(len(classes))

    def __call__(self, pair: Pair) -> tuple[np.ndarray, np.ndarray]:
        image, values = self._read(pair)
        return image, self._ids[values]

    def remarks(self) -> list[str]:
        """Return no warnings: a value that is not known is refused."""
        return []
