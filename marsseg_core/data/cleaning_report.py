"""Report what cleaning did."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..errors import counted
from ..registry.parameters import settings
from .cleaning_options import CleaningOptions
from .groups import ItemGroup


@dataclass(frozen=True)
class CleaningReport:
    """Record what cleaning did. Items are numbered in the order in which they were read.

    Attributes:
        options: the steps that were requested
        items: the number of items before cleaning
        aliens: the groups of which all items were dropped
        duplicates: the groups of which all items except the first were dropped
        filled: the number of pixels that were labelled, by item
        names: the names of the items in `aliens` and `duplicates`, by number; empty if the items have no names
    """

    options: CleaningOptions
    items: int
    aliens: tuple[ItemGroup, ...]
    duplicates: tuple[ItemGroup, ...]
    filled: dict[int, int]
    names: Mapping[int, str] = field(default_factory=dict)

    @property
    def kept(self) -> np.ndarray:
        """Return the remaining items, in order."""
        dropped = [item for group in self.aliens for item in group]
        dropped += [item for group in self.duplicates for item in group[1:]]
        return np.setdiff1d(np.arange(self.items), dropped)

    def __str__(self) -> str:
        steps = []
        if self.options.drop_aliens is not None:
            steps.append(f"{counted(sum(map(len, self.aliens)), 'alien')} dropped (by {self.options.drop_aliens})")
        if self.options.drop_duplicates:
            steps.append(f"{counted(sum(len(group) - 1 for group in self.duplicates), 'duplicate')} dropped")
        if self.options.fill_margin:
            pixels, masks = counted(sum(self.filled.values()), "pixel"), counted(len(self.filled), "mask")
            steps.append(f"{pixels} in the margins of {masks} filled")
        return f"{', '.join(steps)}; {len(self.kept):,} of {self.items:,} items remain"

    def to_json(self) -> dict[str, Any]:
        """Return the content of cleaning.json; it has `names` only if the items have some."""
        names = {"names": {str(item): name for item, name in self.names.items()}} if self.names else {}
        return {
            "options": settings(self.options),
            "items": self.items,
            "remaining": len(self.kept),
            "dropped_aliens": [list(group) for group in self.aliens],
            "dropped_duplicates": [{"kept": group[0], "dropped": list(group[1:])} for group in self.duplicates],
            "filled_pixels": {str(item): pixels for item, pixels in self.filled.items()},
            **names,
        }
