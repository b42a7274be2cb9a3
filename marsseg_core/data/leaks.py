"""What stands in several subsets of a split and makes their scores flattering."""

from __future__ import annotations

import numpy as np

from .arrays import SegmentationData
from .duplicates import digests, identical_groups
from .splits import SUBSETS, Split


def identical_across(data: SegmentationData, split: Split) -> str:
    """Say in a line how many validation and test images are equal, byte by byte, to one of another subset.

    Empty where none is.
    """
    subset_of_item = np.full(len(data), -1)
    for number, subset in enumerate(SUBSETS):
        subset_of_item[split[subset]] = number
    apart = [group for group in identical_groups(digests(data.images)) if len(set(subset_of_item[list(group)])) > 1]
    if not apart:
        return ""
    count = sum(map(len, apart))
    return (
        f"{count} images are identical to one in another subset of the split ({', '.join(map(str, apart[0][:4]))}, …): "
        "what was trained on is scored. `marsseg data inspect` lists them; cleaning.drop_duplicates drops them."
    )
