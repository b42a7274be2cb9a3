"""Split a data set into train, validation and test subsets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from ..errors import RequestError
from .arrays import SegmentationData
from .split_options import SplitOptions
from .statistics import rarest_class

# All assignments are compared where there are no more than this: eleven units to three subsets.
_FEW: Final = 3**11

# More than any distance to the shares: an assignment that leaves a subset empty comes last.
_EMPTY_COST: Final = 10.0

# How often a random assignment is drawn anew.
_DRAWS: Final = 100

_WITHOUT_GROUPS: Final = " Where the groups are not units that look alike, groups=none takes each image by itself."

SUBSETS: Final = ("train", "validation", "test")


@dataclass(frozen=True)
class Split:
    """Hold the sorted indices of the items in each subset."""

    train: tuple[int, ...]
    validation: tuple[int, ...]
    test: tuple[int, ...]

    def __getitem__(self, subset: str) -> np.ndarray:
        return np.asarray(getattr(self, subset), np.int64)

    def to_json(self) -> dict[str, Any]:
        return {subset: list(getattr(self, subset)) for subset in SUBSETS}

    def fault(self, count: int, groups: np.ndarray | None) -> str:
        """Say why these cannot be the subsets of `count` items with these groups; empty where they can."""
        subsets = [self[subset] for subset in SUBSETS]
        if empty := [name for name, items in zip(SUBSETS, subsets, strict=True) if not len(items)]:
            return f"{empty[0]} has no item"
        together = np.concatenate(subsets)
        if together.min() < 0 or together.max() >= count:
            return f"it names item {together.max() if together.min() >= 0 else together.min()} of {count}"
        if len(np.unique(together)) < len(together):
            items, times = np.unique(together, return_counts=True)
            return f"item {items[times > 1][0]} stands in it twice"
        if groups is not None:
            known: dict[int, str] = {}
            for name, items in zip(SUBSETS, subsets, strict=True):
                for group in np.unique(groups[items]).tolist():
                    if known.setdefault(group, name) != name:
                        return f"group {group} is in {known[group]} and in {name}"
        return ""

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Split:
        return cls(*(tuple(value[subset]) for subset in SUBSETS))


def make_split(data: SegmentationData, options: SplitOptions) -> Split:
    """Make the subsets that a plan asks for: by shares, or with one of its folds as the test subset."""
    if options.folds is None or options.fold is None:
        return split_data(data, options.validation, options.test, options.seed)
    return fold_data(data, options.folds, options.fold, options.validation, options.seed)


def split_data(data: SegmentationData, validation: float, test: float, seed: int) -> Split:
    """Split the items by shares, stratified on the rarest class, with the items of a group kept together.

    Raises RequestError where a subset would stay empty.
    """
    units = _Units(data)
    subset = units.assign([1 - validation - test, validation, test], np.random.default_rng(seed))
    return units.split(subset, "change split.validation and split.test")


def fold_data(data: SegmentationData, folds: int, fold: int, validation: float, seed: int) -> Split:
    """Split the items with one fold, 1 to `folds`, as the test subset: over all folds each item is tested once.

    Which items are in a fold depends on `folds` and `seed` alone. `validation` is a share of all items, drawn anew for
    each fold from those that are not in it.
    """
    units = _Units(data)
    tested = units.assign([1 / folds] * folds, np.random.default_rng(seed)) == fold - 1
    share = validation / (1 - 1 / folds)
    subset = units.assign([1 - share, share], np.random.default_rng([seed, fold]), among=~tested)
    subset[tested] = SUBSETS.index("test")
    return units.split(subset, "ask for fewer folds or another split.validation")


class _Units:
    """Assign to subsets what stays together: the groups of a data set, or its single items."""

    def __init__(self, data: SegmentationData) -> None:
        self._data = data
        self._of_item = np.arange(len(data)) if data.groups is None else np.unique(data.groups, return_inverse=True)[1]
        rarest = rarest_class(data)
        holds_rarest = np.zeros(len(data), bool) if rarest is None else data.label_counts[:, rarest] > 0
        self._items = np.bincount(self._of_item)
        self._rare = np.bincount(self._of_item, weights=holds_rarest).astype(int)

    def assign(
        self, shares: Sequence[float], rng: np.random.Generator, *, among: np.ndarray | None = None
    ) -> np.ndarray:
        """Give the subset of each unit, (units,) from 0: in proportion to `shares`. Only those `among` (units,) count.

        The units that hold the rarest class are assigned first, the largest first, then the others; each goes to a
        subset drawn in proportion to what the subsets still lack. Few groups are assigned as well as can be instead
        (`_assign_exhaustively`): drawn, they would often leave a subset empty, or nearly all to test. Of many, one may
        be so large that the same happens: what leaves a subset less than half of its share is drawn anew, as long as
        that helps.
        """
        share = np.array(shares)
        counts = np.ones(len(self._items), bool) if among is None else among
        if self._data.groups is not None and len(shares) ** int(counts.sum()) <= _FEW:
            return self._assign_exhaustively(share, rng, counts)
        draws = []
        for _ in range(_DRAWS):
            draws.append(self._assign_at_random(share, rng, counts))
            if self._smallest_fill(draws[-1], share, counts) >= 1 / 2:
                return draws[-1]
        return max(draws, key=lambda subsets: self._smallest_fill(subsets, share, counts))

    def _smallest_fill(self, subset_of_unit: np.ndarray, share: np.ndarray, counts: np.ndarray) -> float:
        """Give what the worst served subset has of its share, as a fraction of that."""
        items = np.bincount(subset_of_unit[counts], weights=self._items[counts], minlength=len(share))
        return float((items / (share * items.sum())).min()) if items.any() else 0.0

    def _assign_at_random(self, share: np.ndarray, rng: np.random.Generator, counts: np.ndarray) -> np.ndarray:
        """Draw the subset of each unit, as `assign` says."""
        order = rng.permutation(len(self._items))
        order = order[np.lexsort((-self._items[order], -self._rare[order]))]
        subset_of_unit = np.zeros(len(self._items), int)
        lack_items, lack_rare = share * self._items[counts].sum(), share * self._rare[counts].sum()
        for unit in order[counts[order]]:
            lack = np.maximum(lack_rare if self._rare[unit] else lack_items, 0)
            subset = rng.choice(len(share), p=lack / lack.sum() if lack.any() else share)
            subset_of_unit[unit] = subset
            lack_items[subset] -= self._items[unit]
            lack_rare[subset] -= self._rare[unit]
        return subset_of_unit

    def _assign_exhaustively(self, share: np.ndarray, rng: np.random.Generator, counts: np.ndarray) -> np.ndarray:
        """Give the subset of each unit, (units,) from 0: of all assignments without an empty subset, one that is best.

        What counts is the items, and those that hold the rarest class, that are not where they should be, each as a
        share of all; `rng` draws among assignments that are equally near to the shares.
        """
        units = np.flatnonzero(counts)
        assignments = np.indices((len(share),) * len(units)).reshape(len(units), -1)
        cost = np.zeros(assignments.shape[1])
        for subset, wanted in enumerate(share):
            here = assignments == subset
            for weights in (self._items[units], self._rare[units]):
                if weights.any():
                    cost += np.abs(weights @ here / weights.sum() - wanted)
            cost[~here.any(axis=0)] += _EMPTY_COST
        best = np.flatnonzero(cost <= cost.min() + 1e-9)
        subset_of_unit = np.zeros(len(self._items), int)
        subset_of_unit[units] = assignments[:, rng.choice(best)]
        return subset_of_unit

    def split(self, subset_of_unit: np.ndarray, remedy: str) -> Split:
        """Give the items of each subset; RequestError, with a `remedy`, where one is empty."""
        subset_of_item = subset_of_unit[self._of_item]
        subsets = [tuple(np.flatnonzero(subset_of_item == subset).tolist()) for subset in range(len(SUBSETS))]
        empty = [name for name, subset in zip(SUBSETS, subsets, strict=True) if not subset]
        if empty:
            count = len(self._data)
            what = f"{count} images" if self._data.groups is None else f"{len(self._items)} groups of {count} images"
            raise RequestError(
                f"{what} leave the {empty[0]} subset empty.",
                where=self._data.source,
                hint=f"Bring more, or {remedy}." + ("" if self._data.groups is None else _WITHOUT_GROUPS),
            )
        return Split(*subsets)
