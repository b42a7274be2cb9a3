"""`Predictor`: images of any size, row by row, one network or several, and channels."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.networks import predicted

from marsseg_core.errors import RequestError

pytestmark = pytest.mark.usefixtures("without_reports")

# As docs/predict.md states: how much a shift of the tile grid may change the result of a trained network.
MEAN_SHIFT = 0.02
LABELS_SHIFT = 0.08

SIZE = (16, 32)


def pointwise(seed=0, size=SIZE, channels=1, num_classes=3, reach=1):
    """An untrained network whose output depends on `reach` × `reach` pixels."""
    import keras

    keras.utils.set_random_seed(seed)
    inputs = keras.Input((*size, channels))
    logits = keras.layers.Conv2D(num_classes, reach, padding="same", kernel_initializer="random_normal")(inputs)
    return keras.Model(inputs, keras.layers.Rescaling(20.0)(logits))


def whole(network, image):
    """Return the probabilities of a pointwise network for an image of any size."""
    kernel, bias = (np.asarray(weight) for weight in network.get_weights())
    logits = 20 * (image / np.float32(255) @ kernel[0, 0] + bias)
    powers = np.exp(logits - logits.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


class TestAnImageOfAnySize:
    @pytest.mark.parametrize("size", [(1, 1), (5, 9), (16, 32), (16, 33), (17, 32), (40, 20), (61, 150)])
    @pytest.mark.parametrize("tta", [False, True])
    def test_gives_the_output_of_a_network_of_single_pixels(self, scene, size, tta):
        network, image = pointwise(), scene(*size)
        (probabilities,) = predicted([network], [image], tta=tta, batch=4)
        np.testing.assert_allclose(probabilities, whole(network, image), atol=1e-5)

    def test_of_the_networks_own_size_is_exactly_its_output(self, network, scene):
        from scipy.special import softmax

        image = scene(*SIZE)
        (probabilities,) = predicted([network], [image], batch=1)
        logits = np.asarray(network.predict_on_batch(image[None] / np.float32(255)))
        np.testing.assert_allclose(probabilities, softmax(logits[0], axis=-1), atol=1e-6)

    def test_hardly_depends_on_the_grid_if_the_network_has_a_small_receptive_field(self, scene):
        network, image = pointwise(reach=3), scene(80, 120)
        base, moved = predicted([network], [image, image[5:, 11:]])
        np.testing.assert_allclose(moved[16:, 32:], base[21:, 43:], atol=0.005)

    @pytest.mark.parametrize("moved_by", [(8, 16), (5, 11)])
    def test_depends_on_the_grid_no_more_than_is_stated(self, network, scene, moved_by):
        down, right = moved_by
        image = scene(120, 200)
        base, moved = predicted([network], [image, image[down:, right:]])
        base, moved = base[down + 16 :, right + 32 :], moved[16:, 32:]
        assert np.abs(base - moved).mean() < MEAN_SHIFT
        assert (base.argmax(-1) != moved.argmax(-1)).mean() < LABELS_SHIFT

    def test_comes_in_order_for_mixed_sizes(self, scene):
        network = pointwise()
        images = [scene(*size, seed=n) for n, size in enumerate([(16, 32), (5, 5), (40, 40), (16, 32), (99, 20)])]
        for image, probabilities in zip(images, predicted([network], images, batch=3), strict=True):
            np.testing.assert_allclose(probabilities, whole(network, image), atol=1e-5)

    def test_comes_in_row_strips_no_higher_than_a_tile(self, scene):
        from marsseg_core.networks.predictor import Predictor

        (row_strips,) = Predictor([pointwise()]).predict([scene(200, 40)])
        heights = [len(strip) for strip in row_strips]
        assert sum(heights) == 200
        assert max(heights) <= 16


class TestRowsOfAnImage:
    """`Predictor.predict_rows` reads an image in windows, and begins at any row."""

    @pytest.mark.parametrize("options", [{}, {"batch": 3, "overlap": 0.75}, {"tta": True, "batch": 2}])
    def test_are_those_of_the_whole_image_to_the_last_bit(self, network, scene, options):
        from marsseg_core.networks.predictor import Predictor

        image = scene(90, 70)
        networks = [network, pointwise(1, size=(24, 24), num_classes=5, reach=3)]
        whole_image = np.concatenate(list(next(Predictor(networks, **options).predict([image]))))
        for first_row in (0, 1, 30, 89):
            strips = Predictor(networks, **options).predict_rows(image, range(first_row, 90))
            np.testing.assert_array_equal(np.concatenate(list(strips)), whole_image[first_row:])


class TestSeveralNetworks:
    @pytest.mark.parametrize("size", [(10, 20), (50, 60)])
    def test_give_the_mean_of_their_probabilities(self, scene, size):
        networks, image = [pointwise(0), pointwise(1)], scene(*size)
        (probabilities,) = predicted(networks, [image])
        np.testing.assert_allclose(probabilities, np.mean([whole(n, image) for n in networks], axis=0), atol=1e-5)

    def test_may_take_tiles_of_different_sizes(self, scene):
        networks, image = [pointwise(0), pointwise(1, size=(24, 24))], scene(70, 90)
        (probabilities,) = predicted(networks, [image])
        np.testing.assert_allclose(probabilities, np.mean([whole(n, image) for n in networks], axis=0), atol=1e-5)

    def test_flips_are_the_mean_over_four_views(self, scene):
        network, image = pointwise(reach=5), scene(*SIZE)
        (probabilities,) = predicted([network], [image], tta=True)
        views = []
        for axes in ((), (0,), (1,), (0, 1)):
            (view,) = predicted([network], [np.flip(image, axes)])
            views.append(np.flip(view, axes))
        np.testing.assert_allclose(probabilities, np.mean(views, axis=0), atol=1e-6)
        assert np.abs(probabilities - views[0]).max() > 0.001


class TestChannels:
    def test_grey_becomes_three_equal_channels(self):
        from marsseg_core.inference.ensemble import with_channels

        grey = np.arange(6, dtype=np.uint8).reshape(2, 3, 1)
        assert (with_channels(grey, 3) == grey).all()
        assert with_channels(grey, 3).shape == (2, 3, 3)
        assert with_channels(grey, 1) is grey

    def test_colours_become_their_luma(self):
        from marsseg_core.inference.ensemble import with_channels

        colours = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255], [80, 80, 80]]], np.uint8)
        assert with_channels(colours, 1)[..., 0].tolist() == [[76, 150, 29, 80]]

    def test_other_numbers_are_refused(self):
        from marsseg_core.inference.ensemble import with_channels

        with pytest.raises(RequestError, match="An image with 4 channels does not fit a network for 1"):
            with_channels(np.zeros((2, 2, 4), np.uint8), 1)
