"""Find identical images in different subsets of a split, which make scores too high."""

from __future__ import annotations

import numpy as np

from .arrays import SegmentationData
from .duplicates import digests, identical_groups
from .splits import SUBSETS, Split


def identical_across(data: SegmentationData, split: Split) -> str:
    """Return a warning about images that are identical to one in another subset; an empty text if there are none."""
    subset_of_item = np.full(len(data), -1)
    for number, subset in enumerate(SUBSETS):
        subset_of_item[split[subset]] = number
    leaks = [group for group in identical_groups(digests(data.images)) if len(set(subset_of_item[list(group)])) > 1]
    if not leaks:
        return ""
    count = sum(map(len, leaks))
    return (
        f"{count} images are identical to one in another subset of the split ({', '.join(map(str, leaks[0][:4]))}, …), "
        "so scores are too high. `marsseg data inspect` lists them; cleaning.drop_duplicates drops them."
    )
