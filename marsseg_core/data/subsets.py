"""Name the subsets of a split. This module does not import NumPy, so that commands start fast."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

SUBSETS: Final = ("train", "validation", "test")
"""Name the subsets of a split, in the order of their numbers."""

SUBSET_WORDS: Final[Mapping[str, str]] = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "dev": "validation",
    "test": "test",
    "testing": "test",
}
"""Map the words by which folders and files call the subsets, in lower case, to marsseg's."""


def subset_called(word: str) -> str:
    """Return marsseg's name of a subset for a word such as "val"; any other text is returned as it is."""
    return SUBSET_WORDS.get(word.casefold(), word)
