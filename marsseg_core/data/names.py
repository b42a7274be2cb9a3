"""Name the items of a data set, and store the names of millions of items without a Python object for each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, overload

import numpy as np

MAX_NAME: Final = 4096
"""Give the number of characters of the longest name that is written to files: that of the longest path on Linux."""


class StoredNames(Sequence[str]):
    """Hold the names of N items as bytes, which may be memory-mapped; a name becomes a text when it is asked for.

    Args:
        text: (bytes,) uint8, the UTF-8 text of all names, one after the other
        lengths: (N,) integers, the number of bytes of each name
    """

    def __init__(self, text: np.ndarray, lengths: np.ndarray) -> None:
        self._text = text
        self._ends = np.cumsum(lengths, dtype=np.int64)
        self._starts = self._ends - lengths

    def __len__(self) -> int:
        return len(self._ends)

    @overload
    def __getitem__(self, item: int) -> str: ...

    @overload
    def __getitem__(self, item: slice) -> list[str]: ...

    def __getitem__(self, item: int | slice) -> str | list[str]:
        if isinstance(item, slice):
            return [self[position] for position in range(*item.indices(len(self)))]
        return bytes(self._text[self._starts[item] : self._ends[item]]).decode("utf-8", "surrogateescape")


def names_as_arrays(names: Iterable[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return the two arrays of `StoredNames` for these names."""
    encoded = [name.encode("utf-8", "surrogateescape") for name in names]
    text = np.frombuffer(b"".join(encoded), np.uint8)
    return text, np.array([len(each) for each in encoded], np.uint32)


def is_text(name: str) -> bool:
    """Return whether a name can be stored as UTF-8: any text, and bytes of a file's name that are not UTF-8.

    Args:
        name: the name of an item or of a class

    Returns:
        False if it has halves of surrogate pairs that stand for no byte.
    """
    try:
        name.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return False
    return True


def tile_name(image: str, top: int, left: int) -> str:
    """Return the name of a tile.

    Args:
        image: the name of the image that it is cut from
        top: its first row in the image, in pixels
        left: its first column

    Returns:
        A name such as "site1/a.png@r64c128".
    """
    return f"{image}@r{top}c{left}"


def image_of(name: str) -> str:
    """Return the name of the image that a tile is cut from; the name of an item that is no tile is returned as it is.

    >>> image_of("site1/a.png@r64c128")
    'site1/a.png'
    """
    image, at, position = name.rpartition("@r")
    rows, c, columns = position.partition("c")
    return image if at and c and rows.isdecimal() and columns.isdecimal() else name
