"""Synthetic scenes are deterministic, have any size and the requested shares, and need more than grey values."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from marsseg_core.data.arrays import SegmentationData
from marsseg_core.errors import RequestError
from marsseg_core.registry.parameters import configure
from marsseg_plugins.datasets.fields import lowest
from marsseg_plugins.datasets.mars import IGNORED, MARS_CLASSES
from marsseg_plugins.datasets.synthetic import Synthetic

BACKGROUND, SOIL, BEDROCK, SAND, BIG_ROCK = range(5)


@pytest.fixture(scope="module")
def default() -> SegmentationData:
    return Synthetic(count=400).load()


@pytest.fixture(scope="module")
def course() -> SegmentationData:
    return Synthetic(count=400, shares="course").load()


def shares(data: SegmentationData) -> np.ndarray:
    return np.bincount(data.masks.ravel(), minlength=5) / data.masks.size


def rock_images(data: SegmentationData) -> int:
    return int((data.masks == BIG_ROCK).any(axis=(1, 2)).sum())


def test_the_data_is_labelled_grey_mars(default: SegmentationData) -> None:
    assert default.images.shape == (400, 64, 128, 1)
    assert default.masks.shape == (400, 64, 128)
    assert default.images.dtype == default.masks.dtype == np.uint8
    assert set(np.unique(default.masks)) == {BACKGROUND, SOIL, BEDROCK, SAND, BIG_ROCK}
    assert default.class_names == MARS_CLASSES
    assert default.ignore_classes == IGNORED == (BACKGROUND,)
    assert default.groups is None
    assert default.source.startswith("synthetic:")


def test_grey_values_use_the_range_without_clipping_much(default: SegmentationData) -> None:
    assert 40 < default.images.mean() < 120
    assert np.isin(default.images, (0, 255)).mean() < 0.01


def test_the_same_parameters_give_the_same_data() -> None:
    first, second = Synthetic(count=6, aliens=2).load(), Synthetic(count=6, aliens=2).load()
    assert first.fingerprint() == second.fingerprint()


def test_another_seed_gives_other_scenes() -> None:
    first, second = Synthetic(count=6).load(), Synthetic(count=6, seed=1).load()
    assert not any(np.array_equal(a, b) for a, b in zip(first.images, second.images, strict=True))


def test_a_smaller_set_is_the_beginning_of_a_larger_one(default: SegmentationData) -> None:
    smaller = Synthetic(count=20).load()
    np.testing.assert_array_equal(smaller.images, default.images[:20])
    np.testing.assert_array_equal(smaller.masks, default.masks[:20])


@pytest.mark.parametrize("size", [(8, 8), (8, 200), (200, 8), (32, 32), (65, 127), (256, 256)])
def test_any_size(size: tuple[int, int]) -> None:
    data = Synthetic(count=5, height=size[0], width=size[1], aliens=1).load()
    assert data.images.shape == (5, *size, 1)
    assert data.images.std(axis=(1, 2)).min() > 1


def test_default_shares_are_met_on_average(default: SegmentationData) -> None:
    np.testing.assert_allclose(shares(default)[:4], [0.245, 0.31, 0.25, 0.19], atol=0.02)
    assert shares(default)[BIG_ROCK] == pytest.approx(0.005, abs=0.0007)


def test_a_quarter_of_the_images_holds_big_rock(default: SegmentationData) -> None:
    assert 97 <= rock_images(default) <= 103
    assert 22 <= (default.masks[:100] == BIG_ROCK).any(axis=(1, 2)).sum() <= 28


def test_course_shares_are_met_on_average(course: SegmentationData) -> None:
    np.testing.assert_allclose(shares(course)[:4], [0.2431, 0.3390, 0.2328, 0.1838], atol=0.02)
    assert shares(course)[BIG_ROCK] == pytest.approx(0.0013, abs=0.0004)
    assert 8 <= rock_images(course) <= 12


def test_own_shares_are_met_on_average() -> None:
    wanted = (0.5, 0.05, 0.1, 0.25, 0.1)
    data = Synthetic(count=200, shares=wanted, rock_images=0.5).load()
    np.testing.assert_allclose(shares(data), wanted, atol=0.04)
    assert 97 <= rock_images(data) <= 103


def test_shares_of_nothing_give_nothing() -> None:
    data = Synthetic(count=40, shares=(0, 0.5, 0, 0.5, 0), label_noise=0).load()
    assert set(np.unique(data.masks)) == {SOIL, SAND}


def test_most_images_hold_one_to_three_classes(default: SegmentationData) -> None:
    held = np.array([len(np.setdiff1d(mask, BACKGROUND)) for mask in default.masks])
    assert held.min() >= 1
    assert (held <= 3).mean() > 0.9
    assert (held == 1).mean() > 0.2


def test_label_noise_moves_edges_and_nothing_else() -> None:
    exact, rough = Synthetic(count=30, label_noise=0).load(), Synthetic(count=30, label_noise=2).load()
    np.testing.assert_array_equal(exact.images, rough.images)
    assert 0.005 < (exact.masks != rough.masks).mean() < 0.15


@pytest.mark.parametrize("balanced", [False, True], ids=["likeliest class", "likeliest of equally likely classes"])
@pytest.mark.parametrize("preset", ["default", "course"])
def test_the_best_classifier_of_grey_values_stays_below_040(
    preset: str, balanced: bool, request: pytest.FixtureRequest
) -> None:
    data = request.getfixturevalue(preset)
    train, held_out = slice(0, 200), slice(200, 400)
    counts = np.zeros((256, 5))
    np.add.at(counts, (data.images[train, ..., 0], data.masks[train]), 1)
    counts = counts[:, 1:]
    posterior = counts / counts.sum(axis=0) if balanced else counts
    predicted = 1 + posterior.argmax(axis=1)[data.images[held_out, ..., 0]]
    assert mean_iou(data.masks[held_out], predicted) < 0.40


def mean_iou(truth: np.ndarray, predicted: np.ndarray) -> float:
    """Over the four classes of terrain, where the truth is not background."""
    counts = truth != BACKGROUND
    confusion = np.bincount(5 * truth[counts].astype(int) + predicted[counts], minlength=25).reshape(5, 5)[1:, 1:]
    hits = np.diag(confusion)
    return float(np.mean(hits / (confusion.sum(axis=0) + confusion.sum(axis=1) - hits)))


def test_aliens_share_one_mask_and_nothing_else_does() -> None:
    data = Synthetic(count=60, aliens=11).load()
    times = Counter(mask.tobytes() for mask in data.masks if len(np.setdiff1d(mask, BACKGROUND)) >= 2)
    assert sorted(times.values())[-2:] == [1, 11]
    alien_mask = times.most_common(1)[0][0]
    items = [item for item, mask in enumerate(data.masks) if mask.tobytes() == alien_mask]
    assert items[0] < 3
    assert len({data.images[item].tobytes() for item in items}) == 11


def test_the_alien_mask_has_the_areas_of_the_course() -> None:
    mask = Synthetic(count=1, aliens=1).load().masks[0]
    assert np.bincount(mask.ravel(), minlength=5).tolist() == [4346, 1578, 792, 1476, 0]


def test_an_alien_is_pasted_on_the_scene_that_would_be_there() -> None:
    with_aliens, without = Synthetic(count=12, aliens=4), Synthetic(count=12).load()
    data = with_aliens.load()
    for item in range(12):
        changed = (data.images[item] != without.images[item]).mean()
        assert 0.02 < changed < 0.5 if item in with_aliens.alien_items() else changed == 0


@pytest.mark.parametrize(("count", "aliens"), [(1, 1), (5, 5), (7, 3), (200, 1), (2615, 110)])
def test_the_number_of_aliens_and_the_first_position(count: int, aliens: int) -> None:
    items = Synthetic(count=count, aliens=aliens).alien_items()
    assert len(set(items)) == aliens
    assert 0 <= min(items) < 3
    assert max(items) < count


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"shares": "0.5,0.5"}, "list of 5 or more numbers"),
        ({"shares": "0.2,0.2,0.2,0.2,0.1,0.1"}, "5 numbers"),
        ({"shares": "0.5,0.5,0.5,0,0"}, "add up to 1"),
        ({"shares": "1,0,0,0,0"}, "soil, bedrock or sand"),
        ({"shares": "0.2,0.2,0.2,0.2,0.2"}, "raise rock_images"),
        ({"rock_images": "0"}, "raise rock_images"),
        ({"shares": "mars"}, "shares"),
        ({"shares": "-0.1,0.5,0.3,0.3,0"}, "at least 0"),
        ({"count": "0"}, "at least 1"),
        ({"height": "7"}, "at least 8"),
        ({"count": "3", "aliens": "4"}, r"aliens \(4\)"),
    ],
)
def test_impossible_parameters_are_refused_at_once(parameters: dict[str, str], message: str) -> None:
    with pytest.raises(RequestError, match=message):
        configure(Synthetic, parameters)


def test_a_set_may_begin_at_a_later_scene() -> None:
    later, all = Synthetic(count=5, first=7).load(), Synthetic(count=12).load()
    np.testing.assert_array_equal(later.images, all.images[7:])
    np.testing.assert_array_equal(later.masks, all.masks[7:])


def test_items_equal_the_loaded_data() -> None:
    source = Synthetic(count=6, aliens=2, height=16, width=16)
    data = source.load()
    images, masks = zip(*source.items(), strict=True)
    np.testing.assert_array_equal(np.stack(images), data.images)
    np.testing.assert_array_equal(np.stack(masks), data.masks)


def test_of_equal_values_the_same_pixels_are_lowest_on_every_processor():
    field = np.repeat([-1.0, 0.0, 0.0, 1.0], 8).reshape(4, 8)
    assert np.flatnonzero(lowest(field, 10)).tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 8, 23]
    assert np.flatnonzero(lowest(np.zeros((4, 8)), 5)).tolist() == [0, 2, 4, 23, 25]
