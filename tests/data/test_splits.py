"""Test that train, validation and test subsets are disjoint, complete, stratified, and keep groups together."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, strategies as st

from marsseg_core.data.arrays import SegmentationData
from marsseg_core.data.split import Split
from marsseg_core.data.split_options import SplitOptions
from marsseg_core.data.splits import make_split, split_data
from marsseg_core.data.subsets import SUBSETS
from marsseg_core.errors import RequestError

CLASSES = ("background", "soil", "rock")
SHARES = (0.7, 0.15, 0.15)


def data_of(rare: np.ndarray, groups=None) -> SegmentationData:
    """Return images of 1 × 2 pixels; all contain soil, those for which `rare` is true also rock."""
    masks = np.ones((len(rare), 1, 2), np.uint8)
    masks[np.asarray(rare, bool), 0, 1] = 2
    images = np.zeros((len(rare), 1, 2, 1), np.uint8)
    return SegmentationData(images, masks, CLASSES, (0,), groups=None if groups is None else np.asarray(groups))


def split_of(rare, groups=None, *, seed=0, shares=SHARES) -> Split:
    return split_data(data_of(rare, groups), shares[1], shares[2], seed)


rare_flags = st.lists(st.booleans(), min_size=20, max_size=200)
seeds = st.integers(0, 2**32 - 1)


@st.composite
def grouped(draw):
    """Draw flags and groups for 20 to 60 groups of 1 to 8 images."""
    sizes = draw(st.lists(st.integers(1, 8), min_size=20, max_size=60))
    labels = draw(st.permutations(range(100, 100 + len(sizes))))
    groups = np.repeat(labels, sizes)
    rare = draw(st.lists(st.booleans(), min_size=len(groups), max_size=len(groups)))
    order = np.random.default_rng(draw(seeds)).permutation(len(groups))
    return np.asarray(rare)[order], groups[order]


def assert_valid_split(split: Split, count: int) -> None:
    indices = np.concatenate([split[subset] for subset in SUBSETS])
    assert sorted(indices.tolist()) == list(range(count))  # each item once
    for subset in SUBSETS:
        assert len(split[subset])
        assert (np.diff(split[subset]) > 0).all()


@given(rare_flags, seeds)
def test_the_subsets_are_disjoint_and_complete(rare, seed):
    assert_valid_split(split_of(rare, seed=seed), len(rare))


@given(rare_flags, seeds, st.floats(0.1, 0.4), st.floats(0.1, 0.4))
def test_each_subset_has_its_share_within_two_images(rare, seed, validation, test):
    shares = (1 - validation - test, validation, test)
    try:
        split = split_of(rare, seed=seed, shares=shares)
    except RequestError:
        assume(False)
    for subset, share in zip(SUBSETS, shares, strict=True):
        assert abs(len(split[subset]) - share * len(rare)) < 2


@given(rare_flags, seeds)
def test_rare_images_are_stratified_within_two_images(rare, seed):
    split = split_of(rare, seed=seed)
    rare = np.asarray(rare)
    for subset, share in zip(SUBSETS, SHARES, strict=True):
        assert abs(rare[split[subset]].sum() - share * rare.sum()) < 2


def test_the_63_rock_images_of_the_course_are_stratified():
    rare = np.arange(2505) % 40 == 0
    split = split_of(rare)
    found = [int(rare[split[subset]].sum()) for subset in SUBSETS]
    assert np.abs(np.array(found) - 63 * np.array([0.7, 0.15, 0.15])).max() < 1, found
    np.testing.assert_allclose([len(split[subset]) / 2505 for subset in SUBSETS], SHARES, atol=1e-3)


def test_the_rarest_class_is_the_one_in_the_fewest_images_and_never_an_ignored_one():
    # Background is in only 2 images, but is ignored; rock is in 20 of 100.
    masks = np.ones((100, 1, 2), np.uint8)
    masks[::50, 0, 0] = 0
    masks[::5, 0, 1] = 2
    data = SegmentationData(np.zeros((100, 1, 2, 1), np.uint8), masks, CLASSES, (0,))
    split = split_data(data, 0.2, 0.2, 0)
    assert [int((masks[split[subset]] == 2).any(axis=(1, 2)).sum()) for subset in SUBSETS] == [12, 4, 4]


def test_data_without_labels_can_be_split():
    data = SegmentationData(np.zeros((20, 1, 2, 1), np.uint8), np.full((20, 1, 2), 255, np.uint8), CLASSES, (0,))
    assert_valid_split(split_data(data, 0.2, 0.2, 0), 20)


@given(grouped(), seeds)
def test_a_group_stays_in_one_subset(sample, seed):
    rare, groups = sample
    split = split_of(rare, groups, seed=seed)
    assert_valid_split(split, len(rare))
    groups_of_subsets = [set(groups[split[subset]].tolist()) for subset in SUBSETS]
    assert sum(map(len, groups_of_subsets)) == len(set(groups.tolist()))


@given(grouped(), seeds)
def test_rare_images_in_groups_are_stratified_within_two_groups(sample, seed):
    rare, groups = sample
    split = split_of(rare, groups, seed=seed)
    largest = max(rare[groups == group].sum() for group in np.unique(groups))
    for subset, share in zip(SUBSETS, SHARES, strict=True):
        assert abs(rare[split[subset]].sum() - share * rare.sum()) <= 2 * largest


def test_groups_of_one_size_give_each_subset_its_share():
    groups = np.repeat(np.arange(100), 10)
    split = split_of(np.arange(1000) % 50 == 0, groups)
    np.testing.assert_allclose([len(split[subset]) / 1000 for subset in SUBSETS], SHARES, atol=0.02)


@given(rare_flags, seeds)
def test_the_same_seed_gives_the_same_split(rare, seed):
    assert split_of(rare, seed=seed) == split_of(rare, seed=seed)


def test_another_seed_gives_another_split():
    rare = np.arange(100) % 7 == 0
    splits = {split_of(rare, seed=seed) for seed in range(5)}
    assert len(splits) == 5
    # The rare images change too, not only the many others.
    assert len({tuple(i for i in split.test if rare[i]) for split in splits}) > 1


def test_the_split_does_not_depend_on_the_numbers_of_groups():
    rare, groups = np.arange(60) % 9 == 0, np.repeat(np.arange(20), 3)
    assert split_of(rare, groups) == split_of(rare, groups * 1000 - 7)


@given(rare_flags)
def test_a_split_can_be_restored_from_json(rare):
    split = split_of(rare)
    assert Split.from_json(json.loads(json.dumps(split.to_json()))) == split


@pytest.mark.parametrize(
    ("count", "groups", "what"),
    [
        (1, None, "With 1 image, the "),
        (2, None, "With 2 images, the "),
        (40, np.zeros(40), "With 1 group of 40 images, the "),
        (40, np.repeat([1, 2], 20), "With 2 groups of 40 images, the "),
    ],
)
def test_an_empty_subset_is_refused(count, groups, what):
    with pytest.raises(RequestError) as caught:
        split_of(np.zeros(count, bool), None if groups is None else groups.astype(int))
    assert caught.value.what.startswith(what)
    remedy = "Add images, or change split.validation and split.test."
    without = " If images of one group are not similar, set groups=none to split single images."
    assert caught.value.hint == remedy + (without if groups is not None else "")


@given(seeds)
def test_three_equal_groups_go_to_the_three_subsets(seed):
    split = split_of(np.zeros(30, bool), np.repeat([7, 8, 9], 10), seed=seed)
    assert [len(split[subset]) for subset in SUBSETS] == [10, 10, 10]


@given(seeds)
def test_the_largest_of_a_few_groups_is_in_the_training_subset(seed):
    """At random, it could be the test subset, with ten of a hundred images left for training."""
    split = split_of(np.zeros(100, bool), np.repeat([1, 2, 3], [80, 10, 10]), seed=seed)
    assert [len(split[subset]) for subset in SUBSETS] == [80, 10, 10]


@given(st.lists(st.integers(1, 9), min_size=3, max_size=8), seeds)
def test_a_few_groups_stay_together_and_leave_no_subset_empty(sizes, seed):
    groups = np.repeat(np.arange(len(sizes)), sizes)
    split = split_of(np.zeros(len(groups), bool), groups, seed=seed)
    assert split.fault(len(groups), groups) == ""


def test_the_training_group_of_equal_groups_is_random():
    trained = {split_of(np.zeros(30, bool), np.repeat([7, 8, 9], 10), seed=seed).train for seed in range(20)}
    assert len(trained) == 3


@given(seeds)
def test_the_largest_of_many_groups_is_in_the_training_subset(seed):
    """With a single draw, one seed of seven put 80 of 100 images into the test subset."""
    split = split_of(np.zeros(100, bool), np.repeat(np.arange(21), [80] + [1] * 20), seed=seed)
    assert len(split.train) == 80


@given(seeds)
def test_three_images_go_to_the_three_subsets(seed):
    assert [len(subset) for subset in split_of([False] * 3, seed=seed).to_json().values()] == [1, 1, 1]


@given(grouped(), seeds, st.sampled_from([0.125, 0.25, 0.5]))
def test_with_fewer_labels_only_the_training_subset_is_smaller(sample, seed, labelled):
    data = data_of(*sample)
    options = SplitOptions(seed=seed, validation=0.15, test=0.15)
    whole, fewer = make_split(data, options), make_split(data, replace(options, labelled=labelled))
    assert (fewer.validation, fewer.test) == (whole.validation, whole.test)
    assert set(fewer.train) < set(whole.train)
    assert not fewer.fault(len(data), data.groups)
    left_out = set(whole.train) - set(fewer.train)
    assert not set(data.groups[sorted(left_out)]) & set(data.groups[list(fewer.train)])
    # What is drawn has at least half of its share. Of few groups, the best combination may lack more, if one is large.
    if len(np.unique(data.groups[list(whole.train)])) > 17:
        assert len(fewer.train) >= labelled * len(whole.train) / 2
        assert len(left_out) >= (1 - labelled) * len(whole.train) / 2


def test_folds_and_given_splits_can_have_fewer_labels():
    data = data_of(np.arange(80) % 9 == 0)
    folds = [make_split(data, SplitOptions(folds=4, fold=fold, labelled=0.5)) for fold in (1, 2)]
    whole = make_split(data, SplitOptions(folds=4, fold=1))
    assert [abs(len(fold.train) - len(whole.train) / 2) <= 2 for fold in folds] == [True, True]
    given_split = replace(data, split={"train": range(40), "validation": range(40, 60), "test": range(60, 80)})
    split = make_split(given_split, SplitOptions(labelled=0.5))
    assert split.origin == "given"
    assert abs(len(split.train) - 20) <= 2
    assert len(split.test) == 20


@pytest.mark.parametrize("groups", [None, np.arange(20) // 4])
def test_a_given_split_without_training_images_is_refused(groups):
    data = replace(data_of(np.zeros(20, bool), groups), split={"train": [], "validation": [], "test": range(8)})
    with pytest.raises(RequestError, match=r"^The train subset of this split has no image"):
        make_split(data, SplitOptions())


@pytest.mark.parametrize("groups", [None, np.zeros(1, int)])
def test_a_fold_of_all_images_is_refused(groups):
    data = data_of([False], groups)
    whole = "1 group of 1 image" if groups is not None else "1 image"
    for fold in (1, 2):
        with pytest.raises(RequestError, match=rf"^With {whole}, the \w+ subset would be empty"):
            make_split(data, SplitOptions(folds=2, fold=fold))


def test_too_few_labels_are_refused():
    with pytest.raises(RequestError, match="The train subset of this split has no image"):
        make_split(data_of(np.zeros(20, bool)), SplitOptions(labelled=0.0001))
