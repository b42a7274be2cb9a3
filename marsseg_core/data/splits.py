"""Split a data set into train, validation and test subsets."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from ..errors import RequestError, counted, some
from .arrays import SegmentationData
from .names import image_of
from .split import Split
from .split_file import read_split_file
from .split_options import GIVEN, SplitOptions
from .split_source import SplitSource, check_unchanged
from .statistics import rarest_class
from .subsets import SUBSETS

# If there are at most this many assignments (11 units to three subsets), all of them are compared.
_FEW: Final = 3**11

# The cost of an empty subset: higher than that of any deviation from the shares.
_EMPTY_COST: Final = 10.0

# The maximum number of random assignments that are tried.
_DRAWS: Final = 100

# Single items may be this far from a share before a random assignment is drawn again.
_TOLERANCE: Final = 2

_WITHOUT_GROUPS: Final = " If images of one group are not similar, set groups=none to split single images."

_DRAW_ALL: Final = "Add images to it, or let marsseg draw all subsets: --split drawn."

_FOLDS_INSTEAD: Final = "The data come with a split, which folds do not use: all images are divided into folds."


def make_split(data: SegmentationData, options: SplitOptions) -> Split:
    """Split the data as a plan requests: as the data or a file say, by shares, or with one fold as the test subset.

    Raises RequestError if the file cannot be used, or a subset would be empty.
    """
    split = _whole_split(data, options)
    return split if options.labelled == 1 else _with_fewer_labels(data, split, options)


def _with_fewer_labels(data: SegmentationData, split: Split, options: SplitOptions) -> Split:
    """Keep a share of the training items, drawn like a subset; the other subsets stay as they are."""
    units = _Units(data, split["train"])
    # A sequence of another length than those of the other draws, so that none of them is repeated.
    rng = np.random.default_rng([options.seed, options.fold or 0, 1])
    dropped = units.assign([options.labelled, 1 - options.labelled], rng) == 1
    subset_of_item = split.numbers(len(data))
    subset_of_item[units.items[dropped[units.of_item]]] = -1
    return _checked(data, Split.from_numbers(subset_of_item, split.origin, split.remarks, split.notes), options)


def _whole_split(data: SegmentationData, options: SplitOptions) -> Split:
    """Split the data with all labels of the training subset."""
    if options.from_file:
        return _from_file(data, options)
    if options.folds is not None and options.fold is not None:
        split = fold_data(data, options.folds, options.fold, options.validation, options.seed)
        return split if data.split is None or options.subsets != GIVEN else replace(split, remarks=(_FOLDS_INSTEAD,))
    if options.subsets == GIVEN and data.split is not None:
        return _completed(data, data.split, options)
    return split_data(data, options.validation, options.test, options.seed)


def _from_file(data: SegmentationData, options: SplitOptions) -> Split:
    """Return the split that a file gives. If it gives folds, fold `options.fold` is the test subset."""
    check_unchanged(options)
    found = read_split_file(SplitSource.of(options.subsets), data)
    if isinstance(found, Split):
        if options.folds is not None:
            raise RequestError(
                "This file gives subsets, not folds.",
                where=options.subsets,
                hint="Leave out --folds, or give the file a column `fold` instead of `subset`.",
            )
        return _completed(data, found, options)
    if options.folds is None or options.fold is None:
        raise RequestError(
            f"This file gives {found.count} folds, each of which is a test subset.",
            where=options.subsets,
            hint=f"Use --folds {found.count} to run on all of them, or --set split.folds={found.count} with split.fold "
            "for one.",
        )
    if options.folds != found.count:
        raise RequestError(
            f"This file gives {found.count} folds, not {options.folds}.", where=options.subsets, hint="Change --folds."
        )
    subset_of_item = np.where(found.fold_of_item == 0, -1, SUBSETS.index("train")).astype(np.int8)
    subset_of_item[found.fold_of_item == options.fold] = SUBSETS.index("test")
    share = options.validation / (1 - 1 / found.count)
    _draw_from_train(data, subset_of_item, {"validation": share}, [options.seed, options.fold])
    return _checked(data, Split.from_numbers(subset_of_item, "file", found.remarks, found.notes), options)


def _completed(data: SegmentationData, split: Split, options: SplitOptions) -> Split:
    """Draw the subsets that a given split lacks from its training subset, and remark on that."""
    shares = {"validation": options.validation, "test": options.test}
    missing = {subset: share for subset, share in shares.items() if not len(split[subset])}
    if not missing:
        return _checked(data, split, options)
    subset_of_item = split.numbers(len(data))
    _draw_from_train(data, subset_of_item, missing, [options.seed])
    completed = Split.from_numbers(subset_of_item, split.origin, notes=split.notes)
    remarks = [
        f"The split has no {subset} subset: {_drawn(data, completed[subset], len(split.train), share)}"
        for subset, share in missing.items()
    ]
    return _checked(data, replace(completed, remarks=(*split.remarks, *remarks)), options)


def _drawn(data: SegmentationData, items: np.ndarray, count: int, share: float) -> str:
    """Return the end of a remark: how many of `count` training items were drawn where a share was wanted."""
    drawn = f"{len(items):,} of {count:,} training images ({100 * len(items) / max(count, 1):.3g} %"
    verb = "is" if len(items) == 1 else "are"
    if data.groups is None:
        return f"{drawn}) {verb} drawn for it."
    groups = np.unique(data.groups[items])
    places = [place for group in groups if (place := _place(data, np.flatnonzero(data.groups == group)))]
    named = f": {some(places)}" if places else ""
    lines = f"{drawn}; {counted(len(groups), 'group')}{named}) {verb} drawn for it."
    if abs(len(items) - share * count) < 1:
        return lines
    return (
        f"{lines} A group stays together, so this is not the share of {100 * share:.3g} %. "
        "groups=none (data set folder) draws single images; --split FILE takes subsets of your own."
    )


def _place(data: SegmentationData, items: np.ndarray) -> str:
    """Return what the names of the items of a group have in common: their folder, or their image; empty for nothing."""
    if data.names is None:
        return ""
    images = {image_of(data.name(item)) for item in items}
    return images.pop() if len(images) == 1 else os.path.commonpath([os.path.dirname(image) for image in images])


def _draw_from_train(
    data: SegmentationData, subset_of_item: np.ndarray, shares: Mapping[str, float], seed: Sequence[int]
) -> None:
    """Move shares of the training items to other subsets, in place. The items of a group that move, move together."""
    units = _Units(data, np.flatnonzero(subset_of_item == SUBSETS.index("train")))
    drawn = units.assign([1 - sum(shares.values()), *shares.values()], np.random.default_rng(seed))
    numbers = np.array([SUBSETS.index("train"), *map(SUBSETS.index, shares)], np.int8)
    subset_of_item[units.items] = numbers[drawn[units.of_item]]


def _checked(data: SegmentationData, split: Split, options: SplitOptions) -> Split:
    if empty := [subset for subset in SUBSETS if not len(split[subset])]:
        where = options.subsets if options.from_file else data.source
        raise RequestError(f"The {empty[0]} subset of this split has no image.", where=where, hint=_DRAW_ALL)
    return split


def split_data(data: SegmentationData, validation: float, test: float, seed: int) -> Split:
    """Split the items by shares, stratified by the rarest class; the items of a group stay together.

    Raises RequestError if a subset would be empty.
    """
    units = _Units(data)
    subset = units.assign([1 - validation - test, validation, test], np.random.default_rng(seed))
    return units.split(subset, "change split.validation and split.test")


def fold_data(data: SegmentationData, folds: int, fold: int, validation: float, seed: int) -> Split:
    """Split the items with fold number `fold`, from 1, as the test subset: over all folds, each item is tested once.

    The items of a fold depend only on `folds` and `seed`. `validation` is a share of all items; the validation subset
    is drawn separately for each fold, from the items outside the fold.
    """
    units = _Units(data)
    tested = units.assign([1 / folds] * folds, np.random.default_rng(seed)) == fold - 1
    share = validation / (1 - 1 / folds)
    subset = units.assign([1 - share, share], np.random.default_rng([seed, fold]), among=~tested)
    subset[tested] = SUBSETS.index("test")
    return units.split(subset, "set fewer folds or another split.validation")


class _Units:
    """Assign units to subsets. A unit is a group of a data set, or a single item if there are no groups.

    Attributes:
        items: the items that are assigned
        of_item: the number of the unit of each of them
    """

    def __init__(self, data: SegmentationData, items: np.ndarray | None = None) -> None:
        self._data = data
        self.items = np.arange(len(data)) if items is None else items
        groups = np.arange(len(self.items)) if data.groups is None else data.groups[self.items]
        self.of_item = np.unique(groups, return_inverse=True)[1]
        rarest = rarest_class(data)
        holds_rarest = np.zeros(len(self.items), bool) if rarest is None else data.label_counts[self.items, rarest] > 0
        self._items = np.bincount(self.of_item)
        self._rare = np.bincount(self.of_item, weights=holds_rarest).astype(int)

    def assign(
        self, shares: Sequence[float], rng: np.random.Generator, *, among: np.ndarray | None = None
    ) -> np.ndarray:
        """Assign each unit to a subset in proportion to `shares`; return the number of the subset, (units,) from 0.

        With `among` (units,) bool, only these units are assigned; the results of the others mean nothing.

        The units with the rarest class are assigned first, the largest first, and then the others. Each goes to a
        random subset, with a probability in proportion to the number of items that the subset still lacks.

        If there are only a few groups, random assignments would often leave a subset empty, or put nearly all items
        into the test subset. All possible assignments are compared instead (`_assign_exhaustively`). A very large group
        among many can have the same effect. Therefore at most _DRAWS assignments are drawn, until every subset has at
        least half of its share; if none achieves that, the best of them is used. Of single items, many small shares
        can add up to one subset that lacks several: then an assignment is also drawn again.
        """
        share = np.array(shares)
        selected = np.ones(len(self._items), bool) if among is None else among
        if not selected.any():
            return np.zeros(len(self._items), int)
        if self._data.groups is not None and len(shares) ** int(selected.sum()) <= _FEW:
            return self._assign_exhaustively(share, rng, selected)
        draws = []
        for _ in range(_DRAWS):
            draws.append(self._assign_at_random(share, rng, selected))
            if self._smallest_fill(draws[-1], share, selected) >= 1 / 2 and self._is_even(draws[-1], share, selected):
                return draws[-1]
        return max(draws, key=lambda subsets: self._smallest_fill(subsets, share, selected))

    def _smallest_fill(self, subset_of_unit: np.ndarray, share: np.ndarray, selected: np.ndarray) -> float:
        """Return the smallest ratio, over all subsets, of a subset's items to its share of the items."""
        items = np.bincount(subset_of_unit[selected], weights=self._items[selected], minlength=len(share))
        return float((items / (share * items.sum())).min()) if items.any() else 0.0

    def _is_even(self, subset_of_unit: np.ndarray, share: np.ndarray, selected: np.ndarray) -> bool:
        """Return whether single items, and those with the rarest class, are near the shares; True for groups."""
        if self._data.groups is not None:
            return True
        for weights in (self._items[selected], self._rare[selected]):
            counts = np.bincount(subset_of_unit[selected], weights=weights, minlength=len(share))
            if (np.abs(counts - share * weights.sum()) >= _TOLERANCE).any():
                return False
        return True

    def _assign_at_random(self, share: np.ndarray, rng: np.random.Generator, selected: np.ndarray) -> np.ndarray:
        """Draw the subset of each unit, as described in `assign`."""
        order = rng.permutation(len(self._items))
        order = order[np.lexsort((-self._items[order], -self._rare[order]))]
        subset_of_unit = np.zeros(len(self._items), int)
        lack_items, lack_rare = share * self._items[selected].sum(), share * self._rare[selected].sum()
        for unit in order[selected[order]]:
            lack = np.maximum(lack_rare if self._rare[unit] else lack_items, 0)
            subset = rng.choice(len(share), p=lack / lack.sum() if lack.any() else share)
            subset_of_unit[unit] = subset
            lack_items[subset] -= self._items[unit]
            lack_rare[subset] -= self._rare[unit]
        return subset_of_unit

    def _assign_exhaustively(self, share: np.ndarray, rng: np.random.Generator, selected: np.ndarray) -> np.ndarray:
        """Assign each unit to a subset by the best of all assignments; return the numbers of the subsets, (units,).

        The cost of an assignment is the sum of the deviations of all subsets from their share of the items, and from
        their share of the items with the rarest class; empty subsets cost most. `rng` chooses between equal costs.
        """
        units = np.flatnonzero(selected)
        assignments = np.indices((len(share),) * len(units)).reshape(len(units), -1)
        cost = np.zeros(assignments.shape[1])
        for subset, wanted in enumerate(share):
            in_subset = assignments == subset
            for weights in (self._items[units], self._rare[units]):
                if weights.any():
                    cost += np.abs(weights @ in_subset / weights.sum() - wanted)
            cost[~in_subset.any(axis=0)] += _EMPTY_COST
        best = np.flatnonzero(cost <= cost.min() + 1e-9)
        subset_of_unit = np.zeros(len(self._items), int)
        subset_of_unit[units] = assignments[:, rng.choice(best)]
        return subset_of_unit

    def split(self, subset_of_unit: np.ndarray, remedy: str) -> Split:
        """Return the split for the subsets of the units; raise RequestError, with a `remedy`, if a subset is empty."""
        split = Split.from_numbers(subset_of_unit[self.of_item])
        empty = [subset for subset in SUBSETS if not len(split[subset])]
        if empty:
            count = len(self._data)
            what = counted(count, "image")
            if self._data.groups is not None:
                what = f"{counted(len(self._items), 'group')} of {what}"
            raise RequestError(
                f"With {what}, the {empty[0]} subset would be empty.",
                where=self._data.source,
                hint=f"Add images, or {remedy}." + ("" if self._data.groups is None else _WITHOUT_GROUPS),
            )
        return split
