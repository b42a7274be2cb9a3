"""Offsets that give each class the area which the network expects."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st

from marsseg_core.errors import RunError
from marsseg_core.evaluation.shares import LIMIT, expected_pixels, expected_shares, offsets_for


def logarithms(seed: int, classes: int, pixels: int = 2000, spread: float = 1.0) -> np.ndarray:
    """Logarithms of the probabilities of an unsure network: the later a class, the rarer."""
    generator = np.random.default_rng(seed)
    logits = generator.normal(0, spread, (pixels, classes)) - 0.7 * np.arange(classes)
    return (logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))).astype(np.float32)


def shares_with(values: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """The shares of the classes in the decoded map."""
    decoded = (values + offsets.astype(np.float32)).argmax(axis=1)
    return np.bincount(decoded, minlength=values.shape[1]) / len(values)


@given(seed=st.integers(0, 10_000), classes=st.integers(1, 6))
def test_each_class_gets_its_share(seed, classes):
    values = logarithms(seed, classes)
    shares = expected_shares(values)
    offsets = offsets_for(values, shares)
    assert shares_with(values, offsets) == pytest.approx(shares, abs=0.005)
    assert offsets[shares.argmax()] == 0


@given(seed=st.integers(0, 10_000))
def test_no_other_map_with_these_areas_is_as_probable(seed):
    values = logarithms(seed, 3)
    decoded = (values + offsets_for(values, expected_shares(values)).astype(np.float32)).argmax(axis=1)
    pixels = np.arange(len(values))
    shuffled = np.random.default_rng(seed).permutation(decoded)
    assert values[pixels, decoded].mean() > values[pixels, shuffled].mean()
    # Two pixels that exchange their classes do not raise it either.
    for one in range(3):
        for other in range(one):
            gain = values[:, other] - values[:, one]
            if (decoded == one).any() and (decoded == other).any():
                assert gain[decoded == one].max() <= gain[decoded == other].min() + 1e-4


def test_the_argmax_shows_less_of_a_rare_class_and_the_offsets_make_up_for_it():
    values = logarithms(0, 3, spread=0.3)
    shares = expected_shares(values)
    assert shares_with(values, np.zeros(3))[2] < 0.01 < 0.1 < shares[2]
    offsets = offsets_for(values, shares)
    assert offsets[2] > offsets[1] > offsets[0] == 0
    assert shares_with(values, offsets)[2] == pytest.approx(shares[2], abs=0.002)


def test_a_sure_network_needs_none():
    values = np.log(np.maximum(np.eye(3)[[0, 0, 0, 1, 1, 2]], 1e-30)).astype(np.float32)
    assert not offsets_for(values, expected_shares(values)).any()


def test_a_class_that_is_not_expected_keeps_its_logits():
    values = logarithms(1, 3)
    values[:, 2] = -60
    assert offsets_for(values, expected_shares(values))[2] == 0


def test_no_offset_is_beyond_the_limit():
    values = np.tile(np.log(np.array([[0.999, 0.001]], np.float32)), (5000, 1))
    assert abs(offsets_for(values, np.array([0.5, 0.5]))).max() == LIMIT


def test_no_pixels_have_no_offsets():
    assert offsets_for(np.zeros((0, 2), np.float32), np.array([0.5, 0.5])).tolist() == [0, 0]


class TestThePixels:
    image = np.random.default_rng(0).dirichlet([2, 1, 1, 1], (6, 5)).astype(np.float32)

    def test_are_those_of_all_images_among_the_classes_that_count(self):
        values = expected_pixels([self.image, self.image[:4]], [1, 3], 50)
        assert values.shape == (50, 2)
        np.testing.assert_allclose(np.exp(values).sum(axis=1), 1, rtol=1e-5)
        expected = self.image[..., 1] / (self.image[..., 1] + self.image[..., 3])
        np.testing.assert_allclose(np.exp(values[:30, 0]), expected.ravel(), rtol=1e-5)

    def test_are_thinned_out_if_there_are_many(self, monkeypatch):
        monkeypatch.setattr("marsseg_core.evaluation.shares.MOST_VALUES", 30)
        assert expected_pixels([self.image] * 3, [1, 2, 3], 90).shape == (3 * 4, 3)

    @pytest.mark.parametrize("width", [4, 7])
    def test_are_then_of_all_columns_alike(self, monkeypatch, width):
        monkeypatch.setattr("marsseg_core.evaluation.shares.MOST_VALUES", 100 * width)
        image = np.ones((400, width, 2), np.float32)
        image[:, 0, 0] = 3
        values = expected_pixels([image], [0, 1], 400 * width)
        assert 40 * width <= len(values) <= 50 * width
        assert np.isclose(values[:, 0], np.log(0.75)).mean() == pytest.approx(1 / width, abs=0.02)

    def test_must_be_finite(self):
        with pytest.raises(RunError, match="predicts nan for image 1 of those that the decoding is chosen from"):
            expected_pixels([self.image, self.image * np.nan], [1, 2], 60)
