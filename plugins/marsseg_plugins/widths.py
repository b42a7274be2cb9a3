"""How `width` scales the numbers of channels."""

from __future__ import annotations

from typing import Final

# The fewest channels of what is normalised over channels (a token by its norm, a 1×1 kernel by its standardisation):
# one channel becomes 0 whatever the image, two become 1 and −1 in one order or the other, and nothing learns from them.
FEWEST_NORMALISED: Final = 4


def scaled(count: float, width: float, fewest: int = 1) -> int:
    """`count` channels times `width`, rounded, and at least `fewest`."""
    return max(fewest, round(count * width))
