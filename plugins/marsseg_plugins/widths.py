"""Scale numbers of channels by `width`, and check the number of levels of a network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

# The smallest number of channels where values are normalised over channels: layer normalisation of a token, or weight
# standardisation of a 1×1 kernel. Normalised, one channel is always 0, and two channels are always 1 and −1 in some
# order, so that no information about the image is left.
FEWEST_NORMALISED: Final = 4


def scaled(count: float, width: float, fewest: int = 1) -> int:
    """Return `count` channels times `width`, rounded, and at least `fewest`."""
    return max(fewest, round(count * width))


def check_levels(filters: Sequence[int], depth: int | None, fewest: int) -> None:
    """Raise ValueError where `filters` has fewer than `fewest` levels and no `depth` is set."""
    if depth is None and len(filters) < fewest:
        raise ValueError(
            f"filters has {len(filters)} level, but the network needs at least {fewest}: add levels, or set depth"
        )
