"""Train, validation and test part of a data set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from ..errors import RequestError
from .arrays import SegmentationData
from .statistics import rarest_class

PARTS: Final = ("train", "validation", "test")


@dataclass(frozen=True)
class Split:
    """Sorted indices of the items in each part."""

    train: tuple[int, ...]
    validation: tuple[int, ...]
    test: tuple[int, ...]

    def __getitem__(self, part: str) -> np.ndarray:
        return np.asarray(getattr(self, part), np.int64)

    def to_json(self) -> dict[str, Any]:
        return {part: list(getattr(self, part)) for part in PARTS}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Split:
        return cls(*(tuple(value[part]) for part in PARTS))


def split_data(data: SegmentationData, validation: float, test: float, seed: int) -> Split:
    """Part the items by shares, stratified on the rarest class, with the items of a group kept together.

    The groups that hold the rarest class are dealt out first, the largest first, then the others; each goes to a part
    drawn in proportion to what the parts still lack. Raises RequestError where a part would stay empty.
    """
    shares = np.array([1 - validation - test, validation, test])
    groups = np.arange(len(data)) if data.groups is None else np.unique(data.groups, return_inverse=True)[1]
    rarest = rarest_class(data)
    holds_rarest = np.zeros(len(data), bool) if rarest is None else (data.masks == rarest).any(axis=(1, 2))
    items = np.bincount(groups)
    rare = np.bincount(groups, weights=holds_rarest).astype(int)

    rng = np.random.default_rng(seed)
    order = rng.permutation(len(items))
    order = order[np.lexsort((-items[order], -rare[order]))]
    part_of_group = np.empty(len(items), int)
    lack_items, lack_rare = shares * len(data), shares * rare.sum()
    for group in order:
        lack = np.maximum(lack_rare if rare[group] else lack_items, 0)
        part = rng.choice(len(shares), p=lack / lack.sum() if lack.any() else shares)
        part_of_group[group] = part
        lack_items[part] -= items[group]
        lack_rare[part] -= rare[group]

    part_of_item = part_of_group[groups]
    parts = [tuple(np.flatnonzero(part_of_item == part).tolist()) for part in range(3)]
    empty = [name for name, part in zip(PARTS, parts, strict=True) if not part]
    if empty:
        what = f"{len(data)} images" if data.groups is None else f"{len(items)} groups of {len(data)} images"
        raise RequestError(
            f"{what} leave the {empty[0]} part empty.",
            where=data.source,
            hint="Bring more, or change split.validation and split.test.",
        )
    return Split(*parts)
