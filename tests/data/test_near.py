"""Groups of similar hashes: the same in every way to find them, without comparing each hash with each."""

from __future__ import annotations

import numpy as np
import pytest

from marsseg_core.data import near
from marsseg_core.data.near import ByPieces, EachWithEach, near_labels

MOST = 20


def hashes(count: int, originals: int, share: float) -> np.ndarray:
    """Return hashes of 256 bits: copies of some originals in which up to this share of the bits is flipped."""
    rng = np.random.default_rng(count)
    bits = rng.integers(0, 2, (originals, 256), np.uint8)[rng.integers(0, originals, count)]
    flipped = rng.random(bits.shape) < rng.uniform(0, share, (count, 1))
    return np.packbits(bits ^ flipped, axis=1).view(np.uint64)


def groups(search) -> np.ndarray:
    """Return the groups that a search finds if two thirds of the pairs are alike; no pair may be asked for twice."""
    asked = []

    def alike(first: int, second: int) -> bool:
        asked.append(frozenset((first, second)))
        return (first + second) % 3 != 0

    labels = near._joined(search, alike).labels
    assert len(set(asked)) == len(asked)
    return labels


@pytest.mark.parametrize("count", [1, 2, 40, 600])
@pytest.mark.parametrize("spare", [0, 1])
def test_pieces_find_the_groups_that_comparing_each_with_each_finds(count, spare):
    made = hashes(count, max(count // 4, 1), 0.09)
    by_pieces, expected = groups(ByPieces(made, MOST, spare)), groups(EachWithEach(made, MOST))
    assert ((by_pieces[:, None] == by_pieces) == (expected[:, None] == expected)).all()


def test_a_group_has_the_number_of_its_first_member():
    made = hashes(300, 60, 0.01)
    labels = near_labels(made, MOST, lambda first, second: True)
    assert len(set(labels.tolist())) < 100
    assert (labels[labels] == labels).all()
    assert (labels <= np.arange(300)).all()


def test_of_different_hashes_few_pairs_are_compared():
    made = hashes(2000, 2000, 0.0)
    search = near._cheapest_search(made, MOST)
    assert isinstance(search, ByPieces)
    groups(search)
    assert search.compared < 2000 * 1999 / 2 / 100


def test_copies_are_not_compared_with_each_other_once_they_are_in_a_group():
    calls = []
    made = np.concatenate([hashes(1000, 2, 0.01), hashes(500, 500, 0.0)])
    near_labels(made, MOST, lambda first, second: not calls.append((first, second)))
    assert len(calls) < 2 * len(made)


def test_hashes_that_hardly_differ_are_compared_each_with_each():
    # Most pieces of all hashes are equal, but two of them differ in more than a few bits.
    bits = np.zeros((1200, 256), np.uint8)
    bits[:, ::4] = np.random.default_rng(0).integers(0, 2, (1200, 64))
    assert isinstance(near._cheapest_search(np.packbits(bits, axis=1).view(np.uint64), MOST), EachWithEach)
