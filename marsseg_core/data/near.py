"""Group things whose hashes differ in a few bits, without comparing each hash with each.

Cut two hashes that differ in at most b bits into b // (s + 1) + 1 pieces: then there is a piece in which they differ in
at most s bits. So the hashes are sorted by each piece, without any s of its bits, and compared only where all other
bits of the piece are equal. More spare bits s need more sorting, but have larger pieces, which are rarely equal.

How rarely depends on the hashes: the bits of similar scenes are not independent. A sample of the hashes therefore
decides between no spare bit, one, and comparing each with each. The groups are the same in all three ways.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from typing import Final

import numpy as np

# Measured, in units of comparing a hash with one of a long row: comparing two hashes from anywhere, sorting a hash.
_PAIR_COST: Final = 40.0
_SORTING_COST: Final = 10.0

_SAMPLE: Final = 2048

Pairs = tuple[np.ndarray, np.ndarray]


class Groups:
    """Join numbers into groups.

    Attributes:
        labels: (n,) a number for each; the members of a group have the same
    """

    def __init__(self, count: int) -> None:
        self.labels = np.arange(count)
        self._members: dict[int, list[int]] = {}

    def join(self, one: int, other: int) -> None:
        """Make one group of the groups of two numbers."""
        # The smaller group gets the label of the larger one: no number changes its label more than log n times.
        large, small = ((label, self._members.pop(label, [label])) for label in self.labels[[one, other]].tolist())
        if len(large[1]) < len(small[1]):
            large, small = small, large
        self.labels[small[1]] = large[0]
        large[1].extend(small[1])
        self._members[large[0]] = large[1]


def near_labels(hashes: np.ndarray, most: int, alike: Callable[[int, int], bool]) -> np.ndarray:
    """Group hashes: two are in one group if they differ in few bits and are alike, or if others connect them.

    Args:
        hashes: (n, words) uint64
        most: how many bits may differ
        alike: whether two things are alike whose hashes differ in at most `most` bits; not called for things that are
            in one group already

    Returns:
        (n,) the first member of the group of each.
    """
    groups = _joined(_cheapest_search(hashes, most), alike)
    _, first_of_group, group = np.unique(groups.labels, return_index=True, return_inverse=True)
    labels: np.ndarray = first_of_group[group]
    return labels


def _joined(search: Search, alike: Callable[[int, int], bool]) -> Groups:
    groups = Groups(len(search.hashes))
    for firsts, seconds in search.pairs(groups.labels):
        for first, second in zip(firsts.tolist(), seconds.tolist(), strict=True):
            if groups.labels[first] != groups.labels[second] and alike(first, second):
                groups.join(first, second)
    return groups


def _cheapest_search(hashes: np.ndarray, most: int) -> Search:
    """Return the search for near pairs that costs least, as far as a sample of the hashes tells."""
    count = len(hashes)
    sample = hashes[np.linspace(0, count - 1, min(count, _SAMPLE)).astype(np.int64)]
    all_pairs = count * (count - 1) / 2
    costs: dict[Search, float] = {EachWithEach(hashes, most): all_pairs}
    for spare in (0, 1):
        search = ByPieces(hashes, most, spare)
        # With more pairs, comparing each with each costs less, and that is known without counting them all.
        trial = ByPieces(sample, most, spare, enough=len(sample) ** 2 / 2 / _PAIR_COST)
        _joined(trial, lambda first, second: True)
        compared = trial.compared * (count / len(sample)) ** 2
        costs[search] = _SORTING_COST * search.sorts * count + _PAIR_COST * compared
    return min(costs, key=costs.__getitem__)


class Search(ABC):
    """Find the pairs of hashes (n, words) uint64 that differ in at most `most` bits: the near pairs."""

    def __init__(self, hashes: np.ndarray, most: int) -> None:
        self.hashes, self.most = hashes, most

    @abstractmethod
    def pairs(self, labels: np.ndarray) -> Iterator[Pairs]:
        """Yield each near pair once, without those that have the same label (n,). The labels may change meanwhile."""


class EachWithEach(Search):
    """Compare each hash with each."""

    def pairs(self, labels: np.ndarray) -> Iterator[Pairs]:
        """Yield the near pairs, those of one hash at once."""
        hashes = self.hashes
        for item in range(len(hashes) - 1):
            # The first word first: in most pairs it differs in too many bits already.
            others = np.bitwise_count(hashes[item + 1 :, 0] ^ hashes[item, 0])
            seconds = item + 1 + np.flatnonzero(others <= self.most)
            seconds = seconds[_differing(hashes[seconds], hashes[item]) <= self.most]
            seconds = seconds[labels[seconds] != labels[item]]
            if len(seconds):
                yield np.full(len(seconds), item), seconds


class ByPieces(Search):
    """Compare hashes that agree in a piece, up to `spare` (0 or 1) bits.

    Attributes:
        sorts: how often the hashes are sorted
        compared: how many pairs have been compared; a search that has compared more than `enough` ends early
    """

    def __init__(self, hashes: np.ndarray, most: int, spare: int, enough: float = math.inf) -> None:
        super().__init__(hashes, most)
        self._enough = enough
        count, bits = most // (spare + 1) + 1, 64 * hashes.shape[1]
        # A piece has bits from all parts of a hash, as neighbours are often equal.
        self._pieces = [_gathered(hashes, range(start, bits, count)) for start in range(count)]
        sizes = [len(range(start, bits, count)) for start in range(count)]
        self._left_out = [[1 << bit for bit in range(size)] if spare else [0] for size in sizes]
        self._spare = spare
        self.sorts = sum(map(len, self._left_out))
        self.compared = 0

    def pairs(self, labels: np.ndarray) -> Iterator[Pairs]:
        """Yield the near pairs, less than n at once."""
        for piece, left_out in enumerate(self._left_out):
            for bits in left_out:
                for firsts, seconds in _equal_pairs(self._pieces[piece] & ~np.uint64(bits), labels):
                    self.compared += len(firsts)
                    if self.compared > self._enough:
                        return
                    near = _differing(self.hashes[firsts], self.hashes[seconds]) <= self.most
                    firsts, seconds = firsts[near], seconds[near]
                    new = ~self._met_before(firsts, seconds, piece, bits)
                    if new.any():
                        yield firsts[new], seconds[new]

    def _met_before(self, firsts: np.ndarray, seconds: np.ndarray, piece: int, bits: int) -> np.ndarray:
        """Return which pairs agree in an earlier piece too, or without an earlier one of the bits of this one."""
        differing = self._pieces[piece][firsts] ^ self._pieces[piece][seconds]
        met: np.ndarray = (differing == 0) & (bits != self._left_out[piece][0])
        for earlier in self._pieces[:piece]:
            met |= np.bitwise_count(earlier[firsts] ^ earlier[seconds]) <= self._spare
        return met


def _gathered(hashes: np.ndarray, bits: Iterable[int]) -> np.ndarray:
    """Return some bits of hashes (n, words), at most 64 of them, as numbers (n,) uint64."""
    numbers = np.zeros(len(hashes), np.uint64)
    for bit in bits:
        numbers = numbers << np.uint64(1) | hashes[:, bit // 64] >> np.uint64(bit % 64) & np.uint64(1)
    return numbers


def _equal_pairs(keys: np.ndarray, labels: np.ndarray) -> Iterator[Pairs]:
    """Yield the pairs of items with equal keys (n,) and different labels (n,), which may change meanwhile.

    One item of each key is compared with the others, then the next. Those with the rarest labels come first: where all
    but a few items are in one group already, only these few are compared with it.
    """
    items = np.argsort(keys)
    run = np.cumsum(_changes(keys[items]))  # the number of the key, from 1
    while True:
        starts = np.flatnonzero(_changes(run))
        sizes = np.diff(np.append(starts, len(run)))
        several = np.zeros(len(starts), bool)
        if len(starts):
            own = labels[items]
            several = np.minimum.reduceat(own, starts) != np.maximum.reduceat(own, starts)
        if not several.any():
            return
        items, run = (each[np.repeat(several, sizes)] for each in (items, run))
        items = items[_rarest_first(run, labels[items])]
        heads = _changes(run)
        firsts, seconds = items[heads][np.cumsum(heads) - 1][~heads], items[~heads]
        differ = labels[firsts] != labels[seconds]
        yield firsts[differ], seconds[differ]
        items, run = items[~heads], run[~heads]


def _rarest_first(run: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the order of items by their runs (n,), and in each run by how rare their labels (n,) are in it."""
    order = np.lexsort((labels, run))
    group = np.cumsum(_changes(run[order]) | _changes(labels[order])) - 1
    by_rarity: np.ndarray = order[np.lexsort((group, np.bincount(group)[group], run[order]))]
    return by_rarity


def _changes(values: np.ndarray) -> np.ndarray:
    """Return which values (n,) differ from the one before; the first one does."""
    changes = np.ones(len(values), bool)
    changes[1:] = values[1:] != values[:-1]
    return changes


def _differing(some: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Count the bits in which hashes (n, words) differ."""
    differing: np.ndarray = np.bitwise_count(some ^ others).sum(axis=1, dtype=np.uint16)
    return differing
