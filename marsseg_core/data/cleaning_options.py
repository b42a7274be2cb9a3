"""Define the options for cleaning data. This module does not import NumPy, so that commands start fast."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ..registry.parameters import param


@dataclass(frozen=True)
class CleaningOptions:
    """Hold the steps of cleaning, which are applied in this order before the data is split; by default none is."""

    drop_aliens: Literal["masks", "images"] | None = param(
        None,
        help="drop groups of items with one mask of two or more classes (aliens), or groups of nearly identical images",
    )
    drop_duplicates: bool = param(False, help="keep only the first image of each group of nearly identical images")
    fill_margin: int = param(
        0,
        help="label unlabelled strips along the edges, up to this many pixels wide, like the nearest labelled pixels",
        minimum=0,
        maximum=10_000,
    )
