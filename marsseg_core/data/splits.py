"""Train, validation and test part of a data set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ..errors import RequestError
from .arrays import SegmentationData
from .statistics import rarest_class

if TYPE_CHECKING:
    from ..options import SplitOptions

PARTS: Final = ("train", "validation", "test")

# Up to so many places, where they are groups, all ways to deal them out are looked at, if these are not too many.
FEW: Final = 12
_WAYS: Final = 600_000
# Of those ways a seed draws one of the best: of costs up to this much above the least (two of a hundred images).
_SLACK: Final = 0.02
# How often is drawn anew what left a part empty, or with less than half of its share.
_DRAWS: Final = 200


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

    Up to FEW groups are parted as near to the shares as they can be; a seed chooses among the best ways.

    Raises RequestError where a part would stay empty.
    """
    places = _Places(data)
    part = places.dealt([1 - validation - test, validation, test], [seed])
    return places.split(part, "change split.validation and split.test")


def fold_data(data: SegmentationData, folds: int, fold: int, validation: float, seed: int) -> Split:
    """The same with the test part dealt out evenly: over all `fold`s, 1 to `folds`, each item is in it once.

    Which items are in a fold depends on `folds` and `seed` alone. `validation` is a share of all items, drawn anew for
    each fold from those that are not in it.
    """
    places = _Places(data)
    tested = places.dealt([1 / folds] * folds, [seed]) == fold - 1
    share = validation / (1 - 1 / folds)
    part = places.dealt([1 - share, share], [seed, fold], among=~tested)
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

    def dealt(self, shares: Sequence[float], seed: Sequence[int], *, among: np.ndarray | None = None) -> np.ndarray:
        """The part of each place, (places,) from 0: in proportion to `shares`. Only those `among` (places,) count.

        Few groups are dealt out exactly. Others are drawn, and drawn anew where that left a part with less than half
        of its share; what cannot be helped stays empty.
        """
        counts = np.flatnonzero(np.ones(len(self._items), bool) if among is None else among)
        share = np.array(shares)
        if self._data.groups is not None and 0 < len(counts) <= FEW and len(share) ** len(counts) <= _WAYS:
            return self._searched(share, np.random.default_rng(seed), counts)
        first = self._drawn(share, np.random.default_rng(seed if len(seed) > 1 else seed[0]), counts)
        if not self._is_short(first, share, counts):
            return first
        again = [self._drawn(share, np.random.default_rng([*seed, draw]), counts) for draw in range(1, _DRAWS)]
        return min([first, *again], key=lambda parts: self._cost(*self._amounts(parts, share, counts), share)[0])

    def _searched(self, share: np.ndarray, rng: np.random.Generator, counts: np.ndarray) -> np.ndarray:
        """One of the best of all ways to deal out the places `counts`: those with the least `_cost`, or nearly."""
        items, rare = (_all_sums(held[counts], len(share)) for held in (self._items, self._rare))
        cost = self._cost(items, rare, share)
        way = rng.choice(np.flatnonzero(cost <= cost.min() + _SLACK))
        part_of_place = np.zeros(len(self._items), int)
        part_of_place[counts] = way // len(share) ** np.arange(len(counts)) % len(share)
        return part_of_place

    def _amounts(self, parts: np.ndarray, share: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """How many images each part has, and how many that hold the rarest class: (1, parts) each."""
        items, rare = (
            np.bincount(parts[counts], weights=held[counts], minlength=len(share))[None]
            for held in (self._items, self._rare)
        )
        return items, rare

    def _cost(self, items: np.ndarray, rare: np.ndarray, share: np.ndarray) -> np.ndarray:
        """(ways,): how far the parts of each way, (ways, parts) images, are from the shares.

        That is the sum over the parts of how far their images, and those among them that hold the rarest class, are
        from the share of all; a part that is empty outweighs whatever that can be.
        """
        cost: np.ndarray = 100.0 * np.equal(items, 0).sum(axis=1)
        for amounts in (items, rare):
            if total := amounts[0].sum():
                cost += np.abs(amounts / total - share).sum(axis=1)
        return cost

    def _is_short(self, part_of_place: np.ndarray, share: np.ndarray, counts: np.ndarray) -> bool:
        """Whether a part is empty, or has less than half of its share of the images."""
        items = self._amounts(part_of_place, share, counts)[0][0]
        return bool((items < share * items.sum() / 2).any() or not items.all())

    def _drawn(self, share: np.ndarray, rng: np.random.Generator, counts: np.ndarray) -> np.ndarray:
        """The part of each place, drawn.

        The places that hold the rarest class are dealt out first, the largest first, then the others; each goes to a
        part drawn in proportion to what the parts still lack.
        """
        order = rng.permutation(len(self._items))
        order = order[np.lexsort((-self._items[order], -self._rare[order]))]
        part_of_place = np.zeros(len(self._items), int)
        lack_items, lack_rare = share * self._items[counts].sum(), share * self._rare[counts].sum()
        for place in order[np.isin(order, counts)]:
            lack = np.maximum(lack_rare if self._rare[place] else lack_items, 0)
            part = rng.choice(len(share), p=lack / lack.sum() if lack.any() else share)
            part_of_place[place] = part
            lack_items[part] -= self._items[place]
            lack_rare[part] -= self._rare[place]
        return part_of_place

    def split(self, part_of_place: np.ndarray, remedy: str) -> Split:
        """The items of each part; RequestError, with a `remedy`, where one is empty."""
        part_of_item = part_of_place[self._of_item]
        parts = [tuple(np.flatnonzero(part_of_item == part).tolist()) for part in range(len(PARTS))]
        empty = [name for name, part in zip(PARTS, parts, strict=True) if not part]
        if empty:
            count = len(self._data)
            what = f"{count} images" if self._data.groups is None else f"{len(self._items)} groups of {count} images"
            grouped = self._data.groups is not None
            freely = " With groups=none images of a group part freely: scores are flattering then." if grouped else ""
            raise RequestError(
                f"{what} leave the {empty[0]} part empty.",
                where=self._data.source,
                hint=f"Bring more, or {remedy}.{freely}",
            )
        return Split(*parts)


def _all_sums(amounts: np.ndarray, parts: int) -> np.ndarray:
    """(ways, parts): what each part has in every way to deal out `amounts`. Digit i of a way is the part of i."""
    sums = np.zeros((1, parts), np.int64)
    for amount in amounts:
        sums = (sums[None] + amount * np.eye(parts, dtype=np.int64)[:, None]).reshape(-1, parts)
    return sums
