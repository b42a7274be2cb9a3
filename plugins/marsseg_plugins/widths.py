"""How `width` scales the numbers of channels, and how many levels a network has at least."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

# The fewest channels of what is normalised over channels (a token by its norm, a 1×1 kernel by its standardisation):
# one channel becomes 0 whatever the image, two become 1 and −1 in one order or the other, and nothing learns from them.
FEWEST_NORMALISED: Final = 4


def scaled(count: float, width: float, fewest: int = 1) -> int:
    """`count` channels times `width`, rounded, and at least `fewest`."""
    return max(fewest, round(count * width))


def check_levels(filters: Sequence[int], depth: int | None, fewest: int) -> None:
    """ValueError where `filters`, continued to `depth` levels, are fewer than a network is made of."""
    if depth is None and len(filters) < fewest:
        raise ValueError(f"filters has {len(filters)} level, and the network at least {fewest}: give more, or a depth")
