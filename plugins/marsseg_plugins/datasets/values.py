"""What the data sets of files ask about the values of their images and masks."""

from __future__ import annotations

from typing import Final, Literal

RangePer = Literal["set", "image"]
Ignored = Literal["background", "auto"] | tuple[int, ...] | None
Edges = Literal["inward", "pad"]

RANGE_HELP: Final = (
    "which values are black and white: auto by rules, bits by each file's depth, two values as in 0..4095, "
    "or two percentiles as in 1%..99%"
)
IGNORED_HELP: Final = (
    "classes that count in no loss and no score; background is the one of this name in any case of letters, if any; "
    "auto, of older plans, only background itself"
)
BINARY_HELP: Final = "masks hold 0 and 255, which is class 1, not void"
EDGES_HELP: Final = (
    "what tiles do that reach beyond the image: move inward, over their neighbours, or take black and void"
)
PER_HELP: Final = "whose percentiles: those of all values, or for each image its own"


def check_range(text: str, per: RangePer) -> None:
    """ValueError where `text` is no range."""
    from marsseg_core.plugin_api import Range

    Range.parse(text, per)
