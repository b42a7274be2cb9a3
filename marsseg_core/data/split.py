"""Hold which items of a data set are in which subset."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from .subsets import SUBSETS

Origin = Literal["drawn", "given", "file"]


@dataclass(frozen=True)
class Split:
    """Hold the sorted indices of the items in each subset. Items may be in no subset.

    Attributes:
        train: the items that the network learns from
        validation: the items by which the best epoch is chosen
        test: the items for the final score
        origin: who decided: marsseg by shares ("drawn"), the data set ("given") or the user ("file")
        remarks: what the user should know about how the split was made, each a sentence
        notes: what the user may want to know about it
    """

    train: tuple[int, ...]
    validation: tuple[int, ...]
    test: tuple[int, ...]
    origin: Origin = "drawn"
    remarks: tuple[str, ...] = field(default=(), compare=False)
    notes: tuple[str, ...] = field(default=(), compare=False)

    def __getitem__(self, subset: str) -> np.ndarray:
        return np.asarray(getattr(self, subset), np.int64)

    def __repr__(self) -> str:
        counts = ", ".join(f"{len(getattr(self, subset)):,} {subset}" for subset in SUBSETS)
        return f"Split({counts}; {self.origin})"

    def to_json(self) -> dict[str, Any]:
        """Return the subsets as lists, by name."""
        return {subset: list(getattr(self, subset)) for subset in SUBSETS}

    def numbers(self, count: int) -> np.ndarray:
        """Return the position in SUBSETS of the subset of each of `count` items, (count,) int8; -1 means none."""
        subset_of_item = np.full(count, -1, np.int8)
        for number, subset in enumerate(SUBSETS):
            subset_of_item[self[subset]] = number
        return subset_of_item

    @classmethod
    def from_numbers(
        cls,
        subset_of_item: np.ndarray,
        origin: Origin = "drawn",
        remarks: tuple[str, ...] = (),
        notes: tuple[str, ...] = (),
    ) -> Split:
        """Return the split in which each item has the subset with this position in SUBSETS; -1 means none."""
        train, validation, test = (tuple(np.flatnonzero(subset_of_item == n).tolist()) for n in range(len(SUBSETS)))
        return cls(train, validation, test, origin, remarks, notes)

    def fault(self, count: int, groups: np.ndarray | None) -> str:
        """Return why this is not a valid split of `count` items with these groups; an empty text if it is one.

        Only a split that marsseg has drawn must keep groups together.
        """
        subsets = [self[subset] for subset in SUBSETS]
        if empty := [name for name, items in zip(SUBSETS, subsets, strict=True) if not len(items)]:
            return f"{empty[0]} has no item"
        everything = np.concatenate(subsets)
        if everything.min() < 0 or everything.max() >= count:
            return f"it has item {everything.max() if everything.min() >= 0 else everything.min()} of {count}"
        if len(np.unique(everything)) < len(everything):
            items, times = np.unique(everything, return_counts=True)
            return f"it has item {items[times > 1][0]} twice"
        if groups is not None and self.origin == "drawn":
            subset_of_group: dict[int, str] = {}
            for name, items in zip(SUBSETS, subsets, strict=True):
                for group in np.unique(groups[items]).tolist():
                    if subset_of_group.setdefault(group, name) != name:
                        return f"group {group} is in {subset_of_group[group]} and in {name}"
        return ""

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Split:
        """Restore a split from the result of `to_json`, with its origin. Version 0.1.0 drew each split, without one."""
        train, validation, test = (tuple(value[subset]) for subset in SUBSETS)
        return cls(train, validation, test, value.get("origin", "drawn"))
