"""What stands in several parts of a split and makes their scores flattering."""

from __future__ import annotations

import numpy as np

from .arrays import SegmentationData
from .duplicates import digests, identical_groups
from .splits import PARTS, Split


def identical_across(data: SegmentationData, split: Split) -> str:
    """Say in a line how many images of the validation and test parts are equal, byte by byte, to one of another part.

    Empty where none is.
    """
    part_of_item = np.full(len(data), -1)
    for number, part in enumerate(PARTS):
        part_of_item[split[part]] = number
    apart = [group for group in identical_groups(digests(data.images)) if len(set(part_of_item[list(group)])) > 1]
    if not apart:
        return ""
    count = sum(map(len, apart))
    return (
        f"{count} images are identical to one in another part of the split ({', '.join(map(str, apart[0][:4]))}, …): "
        "what was trained on is scored. `marsseg data inspect` lists them; cleaning.drop_duplicates drops them."
    )
