"""Train, validation and test part of a data set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from ..errors import RequestError
from .arrays import SegmentationData
from .split_options import SplitOptions
from .statistics import rarest_class

# All ways to deal out places are looked at where there are no more than this: eleven places into three parts.
_FEW: Final = 3**11

# More than any distance to the shares: a way that leaves a part empty comes last.
_EMPTY_COST: Final = 10.0

# How often is drawn anew.
_DRAWS: Final = 100

_WITHOUT_GROUPS: Final = " Where the groups are not places that look alike, groups=none takes each image by itself."

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

    def fault(self, count: int, groups: np.ndarray | None) -> str:
        """Say why these cannot be the parts of `count` items with these groups; empty where they can."""
        parts = [self[part] for part in PARTS]
        if empty := [name for name, items in zip(PARTS, parts, strict=True) if not len(items)]:
            return f"{empty[0]} has no item"
        together = np.concatenate(parts)
        if together.min() < 0 or together.max() >= count:
            return f"it names item {together.max() if together.min() >= 0 else together.min()} of {count}"
        if len(np.unique(together)) < len(together):
            items, times = np.unique(together, return_counts=True)
            return f"item {items[times > 1][0]} stands in it twice"
        if groups is not None:
            known: dict[int, str] = {}
            for name, items in zip(PARTS, parts, strict=True):
                for group in np.unique(groups[items]).tolist():
                    if known.setdefault(group, name) != name:
                        return f"group {group} is in {known[group]} and in {name}"
        return ""

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Split:
        return cls(*(tuple(value[part]) for part in PARTS))


def parted(data: SegmentationData, options: SplitOptions) -> Split:
    """The parts that a plan asks for: by shares, or with one of its folds as the test part."""
    if options.folds is None or options.fold is None:
        return split_data(data, options.validation, options.test, options.seed)
    return fold_data(data, options.folds, options.fold, options.validation, options.seed)


def split_data(data: SegmentationData, validation: float, test: float, seed: int) -> Split:
    """Part the items by shares, stratified on the rarest class, with the items of a group kept together.

    Raises RequestError where a part would stay empty.
    """
    places = _Places(data)
    part = places.dealt([1 - validation - test, validation, test], np.random.default_rng(seed))
    return places.split(part, "change split.validation and split.test")


def fold_data(data: SegmentationData, folds: int, fold: int, validation: float, seed: int) -> Split:
    """The same with the test part dealt out evenly: over all `fold`s, 1 to `folds`, each item is in it once.

    Which items are in a fold depends on `folds` and `seed` alone. `validation` is a share of all items, drawn anew for
    each fold from those that are not in it.
    """
    places = _Places(data)
    tested = places.dealt([1 / folds] * folds, np.random.default_rng(seed)) == fold - 1
    share = validation / (1 - 1 / folds)
    part = places.dealt([1 - share, share], np.random.default_rng([seed, fold]), among=~tested)
    part[tested] = PARTS.index("test")
    return places.split(part, "ask for fewer folds or another split.validation")


class _Places:
    """What is dealt out as a whole: the groups of a data set, or its single items."""

    def __init__(self, data: SegmentationData) -> None:
        self._data = data
        self._of_item = np.arange(len(data)) if data.groups is None else np.unique(data.groups, return_inverse=True)[1]
        rarest = rarest_class(data)
        holds_rarest = np.zeros(len(data), bool) if rarest is None else data.label_counts[:, rarest] > 0
        self._items = np.bincount(self._of_item)
        self._rare = np.bincount(self._of_item, weights=holds_rarest).astype(int)

    def dealt(
        self, shares: Sequence[float], rng: np.random.Generator, *, among: np.ndarray | None = None
    ) -> np.ndarray:
        """The part of each place, (places,) from 0: in proportion to `shares`. Only those `among` (places,) count.

        The places that hold the rarest class are dealt out first, the largest first, then the others; each goes to a
        part drawn in proportion to what the parts still lack. Few groups are dealt out as well as can be instead
        (`_best`): drawn, they would often leave a part empty, or nearly all to test. Of many, one may be so large that
        the same happens: what leaves a part less than half of its share is drawn anew, as long as that helps.
        """
        share = np.array(shares)
        counts = np.ones(len(self._items), bool) if among is None else among
        if self._data.groups is not None and len(shares) ** int(counts.sum()) <= _FEW:
            return self._best(share, rng, counts)
        draws = []
        for _ in range(_DRAWS):
            draws.append(self._drawn(share, rng, counts))
            if self._least(draws[-1], share, counts) >= 1 / 2:
                return draws[-1]
        return max(draws, key=lambda parts: self._least(parts, share, counts))

    def _least(self, part_of_place: np.ndarray, share: np.ndarray, counts: np.ndarray) -> float:
        """The items of the part that has least of its share, as a fraction of that."""
        items = np.bincount(part_of_place[counts], weights=self._items[counts], minlength=len(share))
        return float((items / (share * items.sum())).min()) if items.any() else 0.0

    def _drawn(self, share: np.ndarray, rng: np.random.Generator, counts: np.ndarray) -> np.ndarray:
        """The part of each place as `dealt` draws it."""
        order = rng.permutation(len(self._items))
        order = order[np.lexsort((-self._items[order], -self._rare[order]))]
        part_of_place = np.zeros(len(self._items), int)
        lack_items, lack_rare = share * self._items[counts].sum(), share * self._rare[counts].sum()
        for place in order[counts[order]]:
            lack = np.maximum(lack_rare if self._rare[place] else lack_items, 0)
            part = rng.choice(len(share), p=lack / lack.sum() if lack.any() else share)
            part_of_place[place] = part
            lack_items[part] -= self._items[place]
            lack_rare[part] -= self._rare[place]
        return part_of_place

    def _best(self, share: np.ndarray, rng: np.random.Generator, counts: np.ndarray) -> np.ndarray:
        """The part of each place, (places,) from 0: of all ways without an empty part, one nearest to the shares.

        What counts is the items and those that hold the rarest class that are not where they should be, each as a
        share of all; `rng` draws among the ways that are equally near.
        """
        places = np.flatnonzero(counts)
        ways = np.indices((len(share),) * len(places)).reshape(len(places), -1)
        cost = np.zeros(ways.shape[1])
        for part, wanted in enumerate(share):
            here = ways == part
            for weights in (self._items[places], self._rare[places]):
                if weights.any():
                    cost += np.abs(weights @ here / weights.sum() - wanted)
            cost[~here.any(axis=0)] += _EMPTY_COST
        best = np.flatnonzero(cost <= cost.min() + 1e-9)
        part_of_place = np.zeros(len(self._items), int)
        part_of_place[places] = ways[:, rng.choice(best)]
        return part_of_place

    def split(self, part_of_place: np.ndarray, remedy: str) -> Split:
        """The items of each part; RequestError, with a `remedy`, where one is empty."""
        part_of_item = part_of_place[self._of_item]
        parts = [tuple(np.flatnonzero(part_of_item == part).tolist()) for part in range(len(PARTS))]
        empty = [name for name, part in zip(PARTS, parts, strict=True) if not part]
        if empty:
            count = len(self._data)
            what = f"{count} images" if self._data.groups is None else f"{len(self._items)} groups of {count} images"
            raise RequestError(
                f"{what} leave the {empty[0]} part empty.",
                where=self._data.source,
                hint=f"Bring more, or {remedy}." + ("" if self._data.groups is None else _WITHOUT_GROUPS),
            )
        return Split(*parts)
