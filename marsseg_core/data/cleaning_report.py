"""What cleaning may be asked to do, and what it did."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..registry.parameters import settings
from .cleaning_options import CleaningOptions
from .groups import ItemGroup


@dataclass(frozen=True)
class CleaningReport:
    """What cleaning did. Items are numbered as they were read.

    `items` counts them before; `aliens` are the groups that were dropped whole, `duplicates` those of which only the
    first was kept; `filled` has the number of pixels that took a label, by item.
    """

    options: CleaningOptions
    items: int
    aliens: tuple[ItemGroup, ...]
    duplicates: tuple[ItemGroup, ...]
    filled: dict[int, int]

    @property
    def kept(self) -> np.ndarray:
        """The items that remain, in order."""
        dropped = [item for group in self.aliens for item in group]
        dropped += [item for group in self.duplicates for item in group[1:]]
        return np.setdiff1d(np.arange(self.items), dropped)

    def __str__(self) -> str:
        done = []
        if self.options.drop_aliens is not None:
            done.append(f"{sum(map(len, self.aliens))} aliens dropped (by {self.options.drop_aliens})")
        if self.options.drop_duplicates:
            done.append(f"{sum(len(group) - 1 for group in self.duplicates)} duplicates dropped")
        if self.options.fill_margin:
            done.append(f"{sum(self.filled.values()):,} pixels in the margins of {len(self.filled):,} masks filled")
        return f"{', '.join(done)}; {len(self.kept):,} of {self.items:,} items remain"

    def to_json(self) -> dict[str, Any]:
        return {
            "options": settings(self.options),
            "items": self.items,
            "remaining": len(self.kept),
            "dropped_aliens": [list(group) for group in self.aliens],
            "dropped_duplicates": [{"kept": group[0], "dropped": list(group[1:])} for group in self.duplicates],
            "filled_pixels": {str(item): pixels for item, pixels in self.filled.items()},
        }
