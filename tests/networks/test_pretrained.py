"""An encoder gets every one of its values, or one error that names the layer."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from marsseg_core.errors import RequestError
from marsseg_core.networks.pretrained import copy_to_encoder, encoder_values, values_hash

GENERATOR = np.random.default_rng(0)


def network(channels: int = 3) -> keras.Model:
    """Two layers of an encoder, and one that is none of its own."""
    images = keras.Input((8, 8, channels))
    x = keras.layers.Conv2D(4, 3, use_bias=False, name="encoder_conv")(images)
    x = keras.layers.BatchNormalization(name="encoder_norm")(x)
    return keras.Model(images, keras.layers.Conv2D(2, 1, name="encoder1_conv")(x))


def published() -> dict[str, np.ndarray]:
    shapes = {"conv/kernel": (3, 3, 3, 4)}
    shapes |= {f"norm/{name}": (4,) for name in ("gamma", "beta", "moving_mean", "moving_variance")}
    return {path: GENERATOR.random(shape, np.float32) for path, shape in shapes.items()}


@pytest.mark.parametrize("rename", [str, "encoder_{}".format])
def test_every_variable_gets_its_value(rename):
    values, built = published(), network()
    other = np.asarray(built.get_layer("encoder1_conv").kernel)
    line = copy_to_encoder({rename(path): value for path, value in values.items()}, built, "imagenet")
    assert line == "The encoder begins with 124 weights of imagenet"
    assert encoder_values(built).keys() == values.keys()
    for path, value in encoder_values(built).items():
        np.testing.assert_array_equal(value, values[path])
    np.testing.assert_array_equal(built.get_layer("encoder1_conv").kernel, other)


def test_positions_can_take_the_place_of_names():
    values, built = published(), network()
    copy_to_encoder(
        {
            f"encoder_{path.partition('/')[0]}/{number}": value
            for path, number, value in zip(values, (0, 0, 1, 2, 3), values.values(), strict=True)
        },
        built,
        "a.weights.h5",
    )
    np.testing.assert_array_equal(encoder_values(built)["norm/moving_mean"], values["norm/moving_mean"])


def maps(built: keras.Model, images: np.ndarray) -> np.ndarray:
    return np.asarray(keras.Model(built.input, built.get_layer("encoder_norm").output)(images, training=False))


def test_grey_images_give_what_three_equal_channels_give():
    values, colour, grey = published(), network(3), network(1)
    copy_to_encoder(values, colour, "imagenet")
    copy_to_encoder(values, grey, "imagenet")
    images = GENERATOR.random((2, 8, 8, 1), np.float32)
    np.testing.assert_allclose(maps(grey, images), maps(colour, np.repeat(images, 3, axis=3)), atol=1e-5)


def test_an_encoder_that_reads_more_than_the_image_gets_its_kernels():
    """As inside the architecture `refine`, whose second network reads probabilities, too."""
    values, images = published(), keras.Input((8, 8, 1))
    joined = keras.layers.Concatenate()([images] * 5)
    x = keras.layers.Conv2D(4, 3, use_bias=False, name="encoder_conv")(joined)
    built = keras.Model(images, keras.layers.BatchNormalization(name="encoder_norm")(x))
    copy_to_encoder(values, built, "imagenet")
    kernel = encoder_values(built)["conv/kernel"]
    np.testing.assert_allclose(kernel[:, :, 4], values["conv/kernel"][:, :, 1] * 3 / 5, rtol=1e-6)


@pytest.mark.parametrize("channels", [2, 4, 5])
def test_other_numbers_of_channels_repeat_the_kernels_and_keep_their_scale(channels):
    values, built = published(), network(channels)
    copy_to_encoder(values, built, "imagenet")
    kernel = encoder_values(built)["conv/kernel"]
    for channel in range(channels):
        expected = values["conv/kernel"][:, :, channel % 3] * 3 / channels
        np.testing.assert_allclose(kernel[:, :, channel], expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"norm/beta": None}, "The layer 'norm' of the encoder has no weights there: norm/beta is missing"),
        ({"norm/beta": np.zeros(5)}, r"do not fit the layer 'norm' of the encoder: norm/beta has the shape \(5,\)"),
        ({"conv/kernel": np.zeros((1, 1, 3, 4))}, "do not fit the layer 'conv'"),
        (dict.fromkeys(published()), "None of the encoder's layers has weights there"),
    ],
)
def test_a_missing_or_wrong_value_is_named_and_changes_nothing(change, message):
    values, built = published() | change, network(1)
    before = encoder_values(built)
    values = {path: value for path, value in values.items() if value is not None}
    with pytest.raises(RequestError, match=message) as error:
        copy_to_encoder(values | {"other/kernel": np.zeros(1)}, built, "a.npz")
    assert error.value.where == "a.npz"
    for path, value in encoder_values(built).items():
        np.testing.assert_array_equal(value, before[path])


def test_the_hash_is_of_the_names_shapes_and_values_in_any_order():
    values = published()
    assert values_hash(values) == values_hash(dict(reversed(values.items())))
    assert values_hash(values) != values_hash(values | {"norm/beta": values["norm/gamma"]})
    assert values_hash(values) != values_hash(values | {"norm/beta": values["norm/beta"][None]})
