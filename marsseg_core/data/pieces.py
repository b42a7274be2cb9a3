"""Arrays piece by piece: they may lie on disk, and be larger than memory."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final

import numpy as np

PIECE_BYTES: Final = 16 * 2**20


def items_at_once(shape: tuple[int, ...], dtype: np.dtype) -> int:
    """Count how many items of an array (N, …) are looked at together: about PIECE_BYTES, and at least one."""
    return max(1, PIECE_BYTES // max(1, dtype.itemsize * math.prod(shape[1:])))


def pieces(array: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Go through an array (N, …): (index of the first item, items), in C order."""
    step = items_at_once(array.shape, array.dtype)
    for start in range(0, len(array), step):
        yield start, np.ascontiguousarray(array[start : start + step])
