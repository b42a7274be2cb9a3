"""What the data sets of files ask about the values of their images."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, Literal, Protocol, TypeVar

if TYPE_CHECKING:
    from marsseg_core.data.scaling import Scaling

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


class _Ranged(Protocol):
    range: str
    range_per: RangePer


T = TypeVar("T", bound=_Ranged)


def read_as(component: T, scaling: Scaling) -> T:
    """The data set with the values read as a run's were, unless it is told how to read them."""
    if component.range != "auto":
        return component
    return replace(component, range=scaling.range_text, range_per=scaling.per)  # type: ignore[type-var]
