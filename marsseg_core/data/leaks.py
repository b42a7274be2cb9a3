"""Find identical images in different subsets of a split, which make scores too high."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from ..errors import counted, some
from .arrays import SegmentationData
from .duplicates import digests, identical_groups
from .groups import ItemGroup
from .split import Split


def leak_warnings(data: SegmentationData, split: Split) -> list[str]:
    """Return a warning about groups, and one about identical images, that are in more than one subset."""
    return list(filter(None, [_groups_across(data, split), identical_across(data, split)]))


def _groups_across(data: SegmentationData, split: Split) -> str:
    """Return a warning about groups in more than one subset, which only a split that is not drawn can have."""
    if data.groups is None or split.origin == "drawn":
        return ""
    subset_of_item = split.numbers(len(data))
    used = subset_of_item >= 0
    pairs = np.unique(np.column_stack([data.groups[used], subset_of_item[used]]), axis=0)
    groups, subsets = np.unique(pairs[:, 0], return_counts=True)
    if not (leaks := groups[subsets > 1]).size:
        return ""
    first = data.name(int(np.flatnonzero(used & (data.groups == leaks[0]))[0]))
    count = counted(len(leaks), "group has", "groups have")
    return (
        f"{count} images in more than one subset of the split (such as the group of {first}), so scores are too high: "
        "images of one place are alike. `--split drawn` keeps groups together."
    )


def _across(subset_of_item: np.ndarray, groups: Iterable[ItemGroup]) -> list[ItemGroup]:
    """Return the groups whose items are in more than one subset; items in no subset do not count."""
    return [group for group in groups if len(set(subset_of_item[list(group)]) - {-1}) > 1]


def identical_across(data: SegmentationData, split: Split) -> str:
    """Return a warning about images that are identical to one in another subset; an empty text if there are none."""
    leaks = _across(split.numbers(len(data)), identical_groups(digests(data.images)))
    if not leaks:
        return ""
    names = [data.name(item) for group in leaks for item in group]
    return (
        f"{len(names):,} images are identical to one in another subset of the split ({some(names)}), so scores are too "
        "high. `marsseg data inspect` lists them; `--set cleaning.drop_duplicates=true` keeps one of "
        "each."
    )
