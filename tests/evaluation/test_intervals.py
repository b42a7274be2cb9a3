"""Intervals of scores: a bootstrap over places, which covers the score on other places about as often as it says."""

from __future__ import annotations

import numpy as np
import pytest

from marsseg_core.errors import RequestError
from marsseg_core.evaluation import intervals as module, resampling
from marsseg_core.evaluation.confusion import Confusion
from marsseg_core.evaluation.intervals import LEAST_PLACES, intervals_of
from marsseg_core.evaluation.resampling import Counts, draw_samples

CLASSES = ("soil", "bedrock", "sand")


def places(random: np.random.Generator, count: int) -> Counts:
    """Draw the counts of places: each has its own number of images, shares of the classes, and difficulty."""
    true = random.dirichlet([4, 2, 1], count) * random.integers(1, 7, (count, 1)) * 1000
    right = true * random.beta(6, 2.5, (count, 3))
    wrong = true - right
    predicted = right + (wrong.sum(axis=1, keepdims=True) - wrong) / 2
    return Counts(right, predicted, true)


def images_of(counts: Counts, each: int) -> tuple[Counts, np.ndarray]:
    """Divide each place into images that are all alike; return the images and their places."""
    parts = (np.repeat(part / each, each, axis=0) for part in (counts.right, counts.predicted, counts.true))
    return Counts(*parts), np.repeat(np.arange(len(counts.true)), each)


def covered(number: int, *, by_places: bool, times: int = 150) -> float:
    """Return how often the interval of `miou` holds that of all places, from which `number` were drawn."""
    truth = float(places(np.random.default_rng(0), 100_000).of_all().mean_ious())
    random, hits = np.random.default_rng(1), 0
    for _ in range(times):
        images, place = images_of(places(random, number), 6)
        found = intervals_of(images, place if by_places else np.arange(len(place)), CLASSES, "places").miou
        assert found is not None
        hits += found[0] <= truth <= found[1]
    return hits / times


@pytest.fixture
def fewer_draws(monkeypatch):
    monkeypatch.setattr(module, "DRAWS", 300)


@pytest.mark.usefixtures("fewer_draws")
class TestCoverage:
    """The figures of docs/predict.md."""

    def test_of_many_places_is_about_95_percent(self):
        assert 0.9 <= covered(60, by_places=True) <= 0.99

    def test_of_the_fewest_places_is_less_but_not_far_less(self):
        assert 0.8 <= covered(LEAST_PLACES, by_places=True) <= 0.95

    def test_of_single_images_of_places_would_be_far_too_small(self):
        assert covered(60, by_places=False) < 0.75


class TestIntervals:
    def images(self, count: int) -> Counts:
        return places(np.random.default_rng(2), count)

    def test_are_the_same_at_each_call_and_hold_the_score(self):
        images = self.images(30)
        first, second = (intervals_of(images, np.arange(30), CLASSES, "images") for _ in range(2))
        assert first == second
        assert first.miou is not None
        assert first.miou[0] < images.of_all().mean_ious() < first.miou[1]
        assert list(first.iou) == list(CLASSES)

    def test_are_none_for_too_few_places(self):
        few = intervals_of(self.images(LEAST_PLACES - 1), np.arange(LEAST_PLACES - 1), CLASSES, "places")
        assert (few.miou, set(few.iou.values()), few.places) == (None, {None}, LEAST_PLACES - 1)

    def test_count_places_and_not_their_images(self):
        images, place = images_of(self.images(LEAST_PLACES - 1), 5)
        assert intervals_of(images, place, CLASSES, "places").miou is None

    def test_are_none_for_a_class_that_too_few_places_have(self):
        images = self.images(30)
        for counts in (images.right, images.true):
            counts[LEAST_PLACES - 1 :, 2] = 0
        found = intervals_of(images, np.arange(30), CLASSES, "places")
        assert found.iou["sand"] is None
        assert found.places_of_class["sand"] == LEAST_PLACES - 1
        assert found.miou is not None

    def test_of_a_confusion_are_over_its_groups_and_without_images_that_have_no_label(self):
        random = np.random.default_rng(3)
        labels = random.integers(0, 3, (40, 4, 4)).astype(np.uint8)
        labels[-1] = 255
        confusion = Confusion(("background", *CLASSES[:2]), (0,), groups=np.arange(40) // 2)
        confusion.update(labels, random.normal(size=(40, 4, 4, 3)) + 2 * np.eye(3)[np.minimum(labels, 2)])
        found = confusion.intervals()
        assert (found.resampled, found.places, list(found.iou)) == ("places", 20, ["soil", "bedrock"])
        assert found.miou is not None
        assert found.miou[0] < confusion.miou < found.miou[1]
        assert found.to_json()["miou"] == list(found.miou)

    def test_need_a_group_for_each_image(self):
        confusion = Confusion(CLASSES, (), groups=np.arange(3))
        with pytest.raises(RequestError, match="3 groups for 0 images"):
            confusion.intervals()

    def test_of_no_image_are_none(self):
        assert Confusion(CLASSES, ()).intervals().miou is None


def test_samples_have_as_many_places_as_there_are_and_do_not_depend_on_the_parts_they_come_in(monkeypatch):
    (whole,) = draw_samples(20, 50, 0)
    monkeypatch.setattr(resampling, "_MOST_NUMBERS", 140)
    parts = [*draw_samples(20, 50, 0)]
    assert [len(part) for part in parts] == [7] * 7 + [1]
    assert np.array_equal(np.concatenate(parts), whole)
    assert set(whole.sum(axis=1)) == {20}
