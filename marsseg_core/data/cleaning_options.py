"""What a plan may ask of the cleaning of its data. Known without NumPy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ..registry.parameters import param


@dataclass(frozen=True)
class CleaningOptions:
    """What is done to the data before it is split, in this order. Nothing, unless asked for."""

    drop_aliens: Literal["masks", "images"] | None = param(
        None,
        help="drop the groups of items with one mask of at least two classes that count, or of nearly identical images",
    )
    drop_duplicates: bool = param(False, help="keep only the first of nearly identical images")
    fill_margin: int = param(
        0,
        help="label strips without labels, up to this many pixels wide, along an image's edges as what is nearest",
        minimum=0,
    )
