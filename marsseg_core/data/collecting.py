"""Collect items of arrays, of which those that are memory-mapped may be larger than memory."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable

import numpy as np

from ..errors import RunError
from ..files.cache_folder import VARIABLE, root


def select(array: np.ndarray, items: Iterable[int]) -> np.ndarray:
    """Return the items with these indices of an array (N, …)."""
    indices = list(items)
    return collect(array, (array[item] for item in indices), len(indices))


def collect(like: np.ndarray, items: Iterable[np.ndarray], count: int) -> np.ndarray:
    """Collect `count` items of the form of those in `like`, (N, …), into one array.

    It is in memory, or in an unnamed file of the cache folder if `like` is memory-mapped. Raises RunError if this file
    cannot be written.
    """
    shape = (count, *like.shape[1:])
    if not isinstance(like, np.memmap):
        result = np.empty(shape, like.dtype)
        for index, item in enumerate(items):
            result[index] = item
        return result
    try:
        root().mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=root()) as file:
            for item in items:
                file.write(np.ascontiguousarray(item).data)
            file.flush()
            return np.memmap(file, like.dtype, "r", shape=shape)
    except OSError as cause:
        raise RunError(
            f"The selected data cannot be written: {cause.strerror or cause}.",
            where=str(root()),
            hint=f"Make room, or set {VARIABLE} to a folder on another disk.",
        ) from cause
