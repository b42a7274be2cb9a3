"""Process arrays in chunks: they may be memory-mapped and larger than memory."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final

import numpy as np

CHUNK_BYTES: Final = 16 * 2**20


def items_per_chunk(shape: tuple[int, ...], dtype: np.dtype) -> int:
    """Return how many items of an array (N, …) form a chunk of about CHUNK_BYTES; at least one.

    Args:
        shape: the shape of the array
        dtype: its type

    Returns:
        The number of items.
    """
    return max(1, CHUNK_BYTES // max(1, dtype.itemsize * math.prod(shape[1:])))


def chunks(array: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Yield the chunks of an array (N, …) in C order, each as (index of its first item, items)."""
    step = items_per_chunk(array.shape, array.dtype)
    for start in range(0, len(array), step):
        yield start, np.ascontiguousarray(array[start : start + step])
