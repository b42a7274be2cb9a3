"""The encoders of `keras.applications` compute what Keras' own networks compute, and get their published weights."""

from __future__ import annotations

import itertools
from dataclasses import replace
from functools import partial
from urllib.error import URLError

import keras
import numpy as np
import pytest
from keras import layers
from keras.applications.imagenet_utils import preprocess_input
from keras.src.applications.convnext import ConvNeXt

from marsseg_core.components.specs import EncoderSpec
from marsseg_core.errors import RequestError
from marsseg_core.networks.cost import cost_of
from marsseg_core.networks.fast import fast_network
from marsseg_core.networks.pretrained import copy_to_encoder
from marsseg_core.testing import EncoderContract
from marsseg_core.testing.components import ComponentContract
from marsseg_plugins.encoders.convnext_tiny import ConvNeXtTiny
from marsseg_plugins.encoders.custom_layers import LayerScale
from marsseg_plugins.encoders.efficientnetv2_b0 import EfficientNetV2B0
from marsseg_plugins.encoders.mobilenet_v3 import MobileNetV3
from marsseg_plugins.encoders.rebuilding import Rebuilding
from marsseg_plugins.encoders.resnet50 import ResNet50

SMALL = MobileNetV3("small")


def few_layers(include_top, weights, input_shape, include_preprocessing):
    """Build a network with maps of the names that MobileNetV3 has, and few other layers: it takes less time."""
    inputs = keras.Input(input_shape)
    x = layers.Conv2D(8, 3, 2, padding="same", use_bias=False, name="conv")(inputs)
    x = layers.Activation("hard_swish")(layers.BatchNormalization(name="conv_bn")(x))
    for name in ("project_bn", "2_add", "7_add", "last_add"):
        x = layers.ZeroPadding2D(((0, 1), (0, 1)), name=f"{name}_pad")(x)
        x = layers.DepthwiseConv2D(3, 2, use_bias=False, name=f"{name}_conv")(x)
        x = layers.BatchNormalization(name=f"{name}_bn")(x)
        x = layers.Multiply(name=f"expanded_conv_{name}")([x, layers.ReLU(6.0)(x + 3.0) * (1.0 / 6.0)])
    return keras.Model(inputs, x)


class TestMobileNetV3(EncoderContract):
    component = SMALL
    name = "mobilenet_v3"

    @pytest.fixture(autouse=True)
    def fewer_layers(self, monkeypatch):
        monkeypatch.setattr(keras.applications, "MobileNetV3Small", few_layers)


class TestResNet50(ComponentContract):
    component = ResNet50()
    name = "resnet50"


class TestEfficientNetV2B0(ComponentContract):
    component = EfficientNetV2B0()
    name = "efficientnetv2_b0"


class TestConvNeXtTiny(EncoderContract):
    """The only one of them with a layer of marsseg's own, which a fresh process must find."""

    component = ConvNeXtTiny()
    name = "convnext_tiny"

    @pytest.fixture(autouse=True)
    def fewer_channels(self, monkeypatch):
        monkeypatch.setattr(keras.applications, "ConvNeXtTiny", partial(ConvNeXt, [3, 3, 9, 3], [8, 8, 16, 16]))


def random_weights(network):
    """Give each vector of weights other values than 0 and 1, so that a wrong order would be seen."""
    rng = np.random.default_rng(0)
    for weight in network.weights:
        if len(weight.shape) == 1:
            weight.assign(np.abs(weight + rng.uniform(-0.3, 0.3, weight.shape)))
    return network


def load(encoder, values, channels=3):
    """Return the encoder as a network for images of 32×64, with published values."""
    images = keras.Input((32, 64, channels))
    network = keras.Model(images, encoder.build(images, EncoderSpec()))
    for layer in network.layers:
        for weight in layer.weights:
            weight.assign(values[f"{layer.name.removeprefix('encoder_')}/{weight.name}"])
    return network


def images(channels=3):
    return np.random.default_rng(1).uniform(size=(2, 32, 64, channels)).astype("float32")


def outputs(network, batch):
    return keras.tree.map_structure(keras.ops.convert_to_numpy, network(batch, training=False))


def same(maps, expected):
    assert list(maps) == list(expected)
    for stride, map_ in maps.items():
        largest = np.abs(expected[stride]).max()
        np.testing.assert_allclose(map_, expected[stride], rtol=1e-5, atol=1e-5 * largest)


def last_of(network, stride, channels):
    """Return the last tensor of this size in a network for images of 32×64: that which the next stage makes smaller."""
    shape = (32 // stride, 64 // stride, channels)
    return [each.output for each in network.operations if tuple(each.output.shape[1:]) == shape][-1]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("encoder", "mode", "parameters", "channels"),
    [
        (MobileNetV3(), "tf", 2_996_352, [16, 24, 40, 112, 960]),
        (EfficientNetV2B0(), "torch", 5_919_312, [16, 32, 48, 112, 1280]),
        (ResNet50(), "caffe", 23_587_712, [64, 256, 512, 1024, 2048]),
        (ConvNeXtTiny(), "torch", 27_820_128, [96, 192, 384, 768]),
    ],
    ids=["mobilenet_v3", "efficientnetv2_b0", "resnet50", "convnext_tiny"],
)
def test_with_equal_weights_it_computes_what_the_network_of_keras_does(
    encoder, mode, parameters, channels, monkeypatch
):
    application = random_weights(encoder._network((32, 64), None))
    monkeypatch.setattr(type(encoder), "_network", lambda *_: application)
    network = load(encoder, encoder.published("imagenet"))
    maps = outputs(network, images())
    expected = {stride: last_of(application, stride, count) for stride, count in zip(maps, channels, strict=True)}
    batch = preprocess_input(255 * images(), mode=mode)
    same(maps, outputs(keras.Model(application.input, expected), batch))
    np.testing.assert_array_equal(
        outputs(application, batch), outputs(keras.Model(application.input, expected[32]), batch)
    )
    assert network.count_params() == parameters
    assert cost_of(network).unknown == ()
    keras.backend.clear_session()


@pytest.mark.slow
@pytest.mark.parametrize("output_stride", [16, 8])
@pytest.mark.parametrize(
    "encoder",
    [MobileNetV3(), EfficientNetV2B0(), ResNet50(), ConvNeXtTiny()],
    ids=["mobilenet_v3", "efficientnetv2_b0", "resnet50", "convnext_tiny"],
)
def test_with_dilations_the_network_of_keras_has_the_same_weights(encoder, output_stride):
    inputs = keras.Input((64, 64, 3))
    plain, dilated = (
        keras.Model(inputs, encoder.build(inputs, EncoderSpec(output_stride=stride))) for stride in (32, output_stride)
    )
    weights = [{weight.path: tuple(weight.shape) for weight in network.weights} for network in (plain, dilated)]
    assert weights[0] == weights[1]
    sizes = [map_.shape[1] for map_ in dilated.output.values()]
    assert sizes == [64 // min(stride, output_stride) for stride in dilated.output]
    keras.backend.clear_session()


@pytest.mark.parametrize("output_stride", [16, 8])
def test_with_dilations_in_place_of_strides_it_computes_the_same_at_its_cells(output_stride):
    keras.utils.set_random_seed(0)
    inputs = x = keras.Input((64, 64, 3))
    x = layers.ZeroPadding2D(3)(x)
    x = layers.Conv2D(4, 7, 2)(x)
    x = layers.MaxPooling2D(2)(x)
    x = layers.ZeroPadding2D(((1, 2), (1, 2)))(x)  # that of MobileNetV3
    x = layers.DepthwiseConv2D(5, 2)(x)
    x = layers.Conv2D(8, 3, padding="same", activation="relu")(x)
    x = layers.Add()([layers.Conv2D(8, 1, 2)(x), layers.Conv2D(8, 3, padding="same")(layers.Conv2D(8, 1, 2)(x))])
    x = keras.Sequential([layers.Conv2D(8, 2, 2), layers.Conv2D(8, 7, padding="same", groups=8)])(x)
    x = layers.Conv2D(4, 3, padding="same")(x + 0.5)
    network = keras.Model(inputs, x)
    rebuilding = Rebuilding(network, images := keras.Input((64, 64, 3)), EncoderSpec(output_stride))
    dilated = keras.Model(images, rebuilding.maps["conv2d_8"])
    for layer in dilated.layers:
        for weight in layer.weights:
            weight.assign(rebuilding.values()[f"{layer.name}/{weight.name}"])
    batch = np.random.default_rng(0).normal(size=(2, 64, 64, 3)).astype("float32")
    expected, cells = outputs(network, batch), outputs(dilated, batch)
    step = 32 // output_stride
    assert cells.shape[1:3] == (64 // output_stride, 64 // output_stride)
    # Which cells these are depends on the side on which "same" pads even kernels.
    starts = itertools.product(range(step), repeat=2)
    assert min(np.abs(cells[:, y::step, x::step] - expected).max() for y, x in starts) < 1e-5


def test_published_weights_come_from_the_file_that_keras_downloads(tmp_path, monkeypatch):
    file = tmp_path / "published.weights.h5"
    application = random_weights(SMALL._network((32, 64), None))
    application.save_weights(file)
    asked = []
    monkeypatch.setattr("keras.src.utils.file_utils.get_file", lambda name, *_, **__: asked.append(name) or str(file))
    values = SMALL.published("imagenet")
    assert asked == [SMALL.application.file]
    monkeypatch.setattr(MobileNetV3, "_network", lambda *_: application)  # it takes a second to build
    network, batch = load(SMALL, values), images(1).repeat(3, -1)
    maps = outputs(network, batch)
    same({32: maps[32]}, {32: outputs(application, 2 * batch - 1)})
    assert network.count_params() == 939_120
    assert network.get_layer("encoder_conv_bn").momentum == 0.9
    dilated = keras.Input((32, 64, 1))
    shapes = {stride: tuple(map_.shape[1:]) for stride, map_ in SMALL.build(dilated, EncoderSpec(8)).items()}
    assert shapes == {2: (16, 32, 16), 4: (8, 16, 16), 8: (4, 8, 576)}
    # One kernel of a grey image is the sum of the three published ones, as all channels have one scaling.
    kernel = values["conv/kernel"].sum(2, keepdims=True)
    grey = load(SMALL, {**values, "conv/kernel": kernel}, channels=1)
    same(outputs(grey, images(1)), maps)
    fast = fast_network(grey)
    assert fast is not grey
    same(outputs(fast, images(1)), maps)


@pytest.mark.parametrize("channels", [1, 3])
def test_convnext_has_the_scaling_of_each_channel_in_its_first_convolution(channels, monkeypatch):
    """So a grey image needs one kernel and counts as three equal channels. Keras' own network has few blocks here."""
    application = ConvNeXt(
        [1] * 4,
        [8, 8, 16, 16],
        name="convnext_tiny",
        include_top=False,
        include_preprocessing=False,
        weights=None,
        input_shape=(32, 64, 3),
    )
    random_weights(application)
    monkeypatch.setattr(ConvNeXtTiny, "_network", lambda *_: application)
    monkeypatch.setattr(ConvNeXtTiny, "application", replace(ConvNeXtTiny().application, levels={}))
    inputs = keras.Input((32, 64, channels))
    network = keras.Model(inputs, ConvNeXtTiny().build(inputs, EncoderSpec()))
    copy_to_encoder(ConvNeXtTiny().published("imagenet"), network, "imagenet")
    assert network.get_layer("encoder_stem_conv").kernel.shape == (4, 4, channels, 8)
    batch = images(channels)
    colours = np.broadcast_to(255 * batch, (2, 32, 64, 3)).copy()
    same(outputs(network, batch), {32: outputs(application, preprocess_input(colours, mode="torch"))})


@pytest.mark.parametrize(("channels", "kernel"), [(1, 3), (3, 3), (5, 5)])
def test_channels_with_their_own_scaling(channels, kernel):
    encoder = EfficientNetV2B0()
    inputs = keras.Input((32, 32, channels))
    scaled = keras.Model(inputs, encoder._scaled(inputs, "encoder_"))
    batch = images(channels)[:, :, :32]
    (result,) = [outputs(scaled, batch)]
    assert result.shape[-1] == kernel
    mean, deviation = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    if channels == 5:
        mean, deviation = mean.mean(), deviation.mean()
    np.testing.assert_allclose(result, (batch - mean) / deviation, rtol=1e-4, atol=1e-5)


def test_a_failed_download_says_how_to_bring_the_file(monkeypatch, tmp_path, capfd):
    def refuse(*_):
        raise URLError("no route")

    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr("keras.src.backend.config._KERAS_DIR", str(tmp_path))
    monkeypatch.setattr("keras.src.utils.file_utils.urlretrieve", refuse)
    with pytest.raises(RequestError) as error:
        SMALL.published("imagenet")
    file = "weights_mobilenet_v3_small_224_1.0_float_no_top_v2.h5"
    assert f"Keras could not get the file of the weights, {file}: URL fetch failure" in error.value.what
    assert error.value.hint == (
        f"Copy {file} to {tmp_path / 'models'} from a computer that has it, or pass another file with weights=FILE."
    )
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize("variable", ["KERAS_HOME", "HOME"])
def test_where_keras_cannot_write_the_file_goes_to_another_folder(variable, monkeypatch, tmp_path):
    """Keras then uses a temporary one, which others can write, too."""

    def fail(*_):
        raise OSError("no route")

    monkeypatch.delenv("KERAS_HOME", raising=False)
    monkeypatch.setenv(variable, str(tmp_path / "gone"))
    monkeypatch.setattr(MobileNetV3, "_network", fail)
    with pytest.raises(RequestError) as error:
        SMALL.published("imagenet")
    assert error.value.hint == (
        "Let the variable KERAS_HOME name a folder that can be written, and copy "
        f"{SMALL.application.file} to the folder models in it, or pass another file with weights=FILE."
    )


def test_the_scale_of_a_layer_is_loaded_in_safe_mode():
    layer = LayerScale(0.5, name="scale")
    layer.build((None, 4, 4, 3))
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer), safe_mode=True)
    np.testing.assert_array_equal(again(np.ones((1, 2, 2, 3), "float32")), np.full((1, 2, 2, 3), 0.5))
    assert LayerScale.__module__ in ConvNeXtTiny().layer_modules
