"""What the data sets of files ask about the values of their images."""

from __future__ import annotations

from typing import Final, Literal

RangePer = Literal["set", "image"]

RANGE_HELP: Final = (
    "which values are black and white: auto by rules, bits by each file's depth, two values as in 0..4095, "
    "or two percentiles as in 1%..99%"
)
PER_HELP: Final = "whose percentiles: those of all values, or for each image its own"


def check_range(text: str, per: RangePer) -> None:
    """ValueError where `text` is no range."""
    from marsseg_core.data.ranges import Range

    Range.parse(text, per)
