"""Local networks are predicted in larger tiles, which overlap only at their seams; each shape is compiled once."""

from __future__ import annotations

from math import prod

import keras
import numpy as np
import pytest
from hypothesis import given, strategies as st
from keras import layers

from marsseg_core import api
from marsseg_core.evaluation.confusion import decode
from marsseg_core.networks import compiled as compiled_module, memory
from marsseg_core.networks.compiled import compiled
from marsseg_core.networks.local import Locality, locality, resized
from marsseg_core.networks.predictor import Predictor
from marsseg_core.networks.tiling import best_tile, seam_axis, tile_count

SIZE = (16, 32)


def convolution(size=SIZE, reach=3):
    keras.utils.set_random_seed(0)
    images = keras.Input((*size, 1))
    logits = layers.Conv2D(3, reach, padding="same", kernel_initializer="random_normal")(images)
    return keras.Model(images, layers.Rescaling(20.0)(logits))


def network_of(*after):
    images = keras.Input((*SIZE, 1))
    x = images
    for layer in after:
        x = layer(x)
    return keras.Model(images, layers.Conv2D(3, 1)(x))


@pytest.fixture
def image():
    return np.random.default_rng(0).integers(0, 256, (100, 150, 1)).astype(np.uint8)


@pytest.fixture
def shapes(monkeypatch):
    """The shapes that were compiled."""
    seen = []

    def compiling(network, shape):
        seen.append(shape)
        return compile_call(network, shape)

    compile_call = compiled_module.compile_call
    monkeypatch.setattr(compiled_module, "compile_call", compiling)
    return seen


class TestLocality:
    def test_of_a_unet_is_that_of_its_convolutions_and_pools(self):
        network = api.network("unet:width=0.125:depth=1:convolutions=1", height=16, width=32)
        found = locality(network)
        assert found is not None
        assert found.stride == 2
        assert 2 + 2 * 2 + 2 <= found.reach <= 20

    def test_of_maps_that_are_padded_for_a_convolution_or_pooling(self):
        """As in ResNet, whose layers are padded on both sides, and in MobileNet, where they are on one side."""
        keras.utils.set_random_seed(0)
        network = network_of(
            layers.ZeroPadding2D(1),
            layers.Conv2D(4, 3, strides=2),
            layers.ZeroPadding2D(((0, 1), (0, 1))),
            layers.DepthwiseConv2D(3, strides=2),
            layers.Dense(4, activation="gelu"),
            layers.ZeroPadding2D(1),
            layers.MaxPooling2D(3, strides=1),
            layers.UpSampling2D(4),
        )
        found = locality(network)
        assert found == Locality(stride=4, reach=2 + 2 * 2 + 4 * 2)
        image = np.random.default_rng(0).random((1, 96, 96, 1), np.float32)
        whole = resized(network, 96, 96)(image)[0, 32:64, 32:64]
        tile = resized(network, 64, 64)(image[:, 16:80, 16:80])[0, 16:48, 16:48]
        np.testing.assert_allclose(tile, whole, atol=1e-6)

    @pytest.mark.parametrize(
        "after",
        [
            [layers.ZeroPadding2D(1), layers.Cropping2D(1)],
            [layers.Conv2D(2, 3), layers.ZeroPadding2D(1)],
            [layers.ZeroPadding2D(1), layers.ZeroPadding2D(1), layers.Conv2D(2, 5)],
            [layers.ZeroPadding2D(1), layers.Conv2D(2, 3, padding="same"), layers.Conv2D(2, 3)],
            [layers.MaxPooling2D(2), layers.ZeroPadding2D(((4, 4), (8, 8))), layers.Conv2D(2, 1)],
            [layers.GroupNormalization(1)],
            [layers.LayerNormalization(axis=(1, 2, 3))],
            [layers.Activation(lambda x: x - keras.ops.mean(x))],
            [layers.GlobalAveragePooling2D(keepdims=True), layers.UpSampling2D(SIZE)],
            [layers.Resizing(*SIZE)],
        ],
    )
    def test_is_unknown_where_a_layer_may_depend_on_the_size_of_the_tile(self, after):
        assert locality(network_of(*after)) is None

    def test_counts_a_layer_that_states_its_reach(self):
        class Shifted(layers.Layer):
            reach = 2

            def call(self, x):
                return keras.ops.roll(x, 2, axis=1)

        assert locality(network_of(layers.MaxPooling2D(2), Shifted(), layers.UpSampling2D(2))) == Locality(2, 5)


def test_a_resized_network_has_the_same_variables():
    network = convolution()
    larger = resized(network, 48, 64)
    assert larger.input_shape == (None, 48, 64, 1)
    assert [v.path for v in larger.variables] == [v.path for v in network.variables]
    assert all(one is other for one, other in zip(larger.variables, network.variables, strict=True))


@pytest.mark.parametrize("batch", [1, 3, 100])
def test_the_result_is_that_of_the_whole_image_but_near_seams(image, batch):
    network, image = convolution(), image[:90, :120]  # one tile of 96 × 128 covers it, if the batch allows it
    (blended,) = Predictor([network], batch=batch).probabilities([image])
    whole = compiled(network).logits(image[None] / np.float32(255))[0]
    powers = np.exp(whole - whole.max(-1, keepdims=True))
    expected = powers / powers.sum(-1, keepdims=True)
    difference = np.abs(blended - expected)[1:-1, 1:-1]
    assert difference.max() < (1e-5 if batch == 100 else 0.05)
    assert (difference < 1e-5).mean() > 0.6


def test_images_of_many_sizes_share_few_sizes_of_tiles():
    """Each was once compiled for almost every image, which took longer than the predictions."""
    sizes = [tuple(size) for size in np.random.default_rng(0).integers(260, 900, (60, 2)).tolist()]
    assert len({best_tile(size, (64, 128), (32, 64), 16, 512 * 512, 2**22) for size in sizes}) < 20


def test_an_overlap_that_is_passed_means_tiles_of_the_networks_size(image, shapes):
    list(Predictor([convolution()], overlap=0.5, batch=4).probabilities([image]))
    assert {shape[1:3] for shape in shapes} == {SIZE}
    list(Predictor([network_of(layers.GroupNormalization(1))]).probabilities([image]))
    assert {shape[1:3] for shape in shapes} == {SIZE}


def test_a_call_never_has_more_pixels_than_the_batch_allows(image, shapes):
    list(Predictor([convolution()], batch=3, tta=True).probabilities([image, image[:60, :32], image[:5, :5]]))
    assert max(prod(shape[:3]) for shape in shapes) <= 3 * prod(SIZE)
    assert max(prod(shape[1:3]) for shape in shapes) > prod(SIZE)


def test_each_shape_is_compiled_once_and_a_short_batch_is_filled(shapes):
    network = convolution()
    images = np.zeros((8, *SIZE, 1), np.uint8)
    for count in (1, 5, 3, 5):
        list(Predictor([network], batch=5).probabilities(images[:count]))
    assert shapes == [(1, *SIZE, 1), (5, *SIZE, 1), (3, *SIZE, 1)]
    list(Predictor([network], batch=5).probabilities(images))  # 5 and 3
    assert len(shapes) == 3
    assert compiled(network) is compiled(network)


def test_compiled_functions_read_the_weights_of_the_moment():
    network = convolution()
    images = np.ones((1, *SIZE, 1), np.float32)
    before = compiled(network).logits(images)
    network.set_weights([2 * weight for weight in network.get_weights()])
    np.testing.assert_allclose(compiled(network).logits(images), 2 * before, rtol=1e-5)


def test_labels_alone_are_those_of_the_probabilities(image):
    tile = image[:16, :32]
    (strip,) = next(Predictor([convolution()], labels_only=True).predict([tile]))
    (probabilities,) = Predictor([convolution()]).probabilities([tile])
    np.testing.assert_array_equal(decode(strip), decode(probabilities))
    assert strip.min() < 0


@given(st.integers(1, 400), st.integers(1, 10), st.integers(0, 40), st.sampled_from([1, 2, 8]))
def test_tiles_with_seams_cover_the_axis(length, cells, seam, stride):
    tile = stride * cells
    seam = min(seam, tile // 2) if length > tile else 0
    axis = seam_axis(length, tile, seam, stride)
    total = np.zeros(length + 2 * tile)
    for start, weights in zip(axis.starts, axis.weights, strict=True):
        total[start + tile : start + 2 * tile] += weights
    np.testing.assert_allclose(total[tile:-tile], 1, atol=1e-5)
    assert len(axis.starts) == tile_count(length, tile, seam, stride)
    if len(axis.starts) > 1:
        assert not (axis.starts % stride).any()
        assert axis.starts.max() < length
        assert np.diff(axis.starts).max() <= max(stride, tile - seam)


def test_a_large_image_costs_little_more_than_its_pixels():
    size, seams, stride = (4096, 4096), (32, 32), 16
    tile = best_tile(size, (64, 128), seams, stride, 512 * 512, 2**22)
    assert prod(tile) <= 512 * 512
    tiles = prod(tile_count(*axis, stride) for axis in zip(size, tile, seams, strict=True))
    assert tiles * prod(tile) < 1.25 * prod(size)
    assert best_tile(size, (64, 128), seams, stride, 100, 100) == (64, 128)


class TestMemory:
    def test_limits_the_pixels_of_a_call(self, monkeypatch):
        monkeypatch.setattr(memory, "memory_limit", lambda: 2**20)
        assert memory.pixels_at_once(4) == 2**16
        assert memory.pixels_at_once(0.001) == memory.MOST_PIXELS
        tight = Predictor([convolution()])
        assert tight._networks[0].batch == 2**18 // (2 * 3 * 4 * prod(SIZE))

    def test_is_the_least_of_the_machine_and_its_control_groups(self, monkeypatch, tmp_path):
        files = [tmp_path / name for name in ("max", "low", "absent")]
        files[0].write_text("max\n")
        files[1].write_text("5000\n")
        monkeypatch.setattr(memory, "_group_files", lambda: files[:1])
        assert memory.memory_limit() > 2**20
        monkeypatch.setattr(memory, "_group_files", lambda: files)
        assert memory.memory_limit() == 5000


@pytest.mark.parametrize("ignored", [(), (0,), (1, 3)])
def test_decoding_takes_the_first_of_the_largest_classes(ignored):
    values = np.random.default_rng(0).integers(-2, 3, (7, 9, 5))
    counted = np.array([c for c in range(5) if c not in ignored])
    np.testing.assert_array_equal(decode(values, ignored), counted[values[..., counted].argmax(-1)])
