"""Types and help texts of parameters that several data sets of files share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from marsseg_core.plugin_api import Scaling

RangePer = Literal["set", "image"]
Ignored = Literal["background", "auto"] | tuple[int, ...] | None
Edges = Literal["inward", "pad"]
PaletteMeaning = Literal["colours", "indices"]

RANGE_HELP: Final = (
    "which values are black and white: auto (found from the data), bits (from the bit depth of each file), two values "
    "such as 0..4095, or two percentiles such as 1%..99%"
)
IGNORED_HELP: Final = (
    "ids of classes that losses and scores ignore; background: those that the source says, or else the class of this "
    "name in upper or lower case, if any; auto (in older plans): the class of this name in lower case"
)
BINARY_HELP: Final = "masks hold 0 and 255, and 255 is class 1, not void"
PALETTE_HELP: Final = (
    "what the ids of palette masks are: those of their colours in the class file, or the indices of the palette"
)
EDGES_HELP: Final = (
    "tiles that would reach beyond the image: inward moves them over their neighbours, pad fills them up with black "
    "and void"
)
OVERLAP_HELP: Final = "how far neighbouring tiles overlap: a share of a tile below 1, or a number of pixels"
PER_HELP: Final = "take percentiles over the whole set, or separately for each image"


def check_range(text: str, per: RangePer) -> None:
    """Raise ValueError if `text` is not a range."""
    from marsseg_core.plugin_api import Range

    Range.parse(text, per)


def check_overlap(overlap: float, resize: str, height: int | None, width: int | None) -> None:
    """Raise ValueError if tiles cannot overlap so far."""
    if overlap and resize != "tiles":
        raise ValueError("overlap needs resize=tiles")
    if overlap >= 1 and overlap != int(overlap):
        raise ValueError("overlap is a share below 1 or a whole number of pixels")
    if overlap >= 1 and overlap >= min(height or 1, width or 1):
        raise ValueError("overlap must be less than height and width")


def is_scaled_already(path: str, earlier: Scaling | None, scaling: Scaling) -> bool:
    """Return whether the values of a source were scaled before they were written; warn if it was in another way.

    `earlier` is the scaling that the source itself says, and `scaling` the one that a network was trained with.
    """
    from marsseg_core.plugin_api import get_logger

    if earlier is not None and earlier != scaling:
        get_logger(__name__).warning(
            "%s was scaled differently from the network's images: here, %s; for the network, %s.",
            path,
            earlier,
            scaling,
        )
    return earlier is not None


def refuse_other_values(path: str, earlier: Scaling | None, scaling: Scaling | None) -> None:
    """Raise RequestError if values that were scaled before they were written would be scaled again."""
    from marsseg_core.plugin_api import refuse_file

    if earlier is not None and scaling is not None:
        refuse_file(
            path,
            f"marsseg.json says that the values are scaled to 0 to 255 already, but {scaling}.",
            hint="Remove its scaling if the images are others now, or set range to what is black and white.",
        )
