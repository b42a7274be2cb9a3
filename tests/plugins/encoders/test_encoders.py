"""The built-in encoders pass the contract, and have the published numbers of parameters."""

import keras
import pytest

from marsseg_core.components.specs import EncoderSpec
from marsseg_core.testing import EncoderContract
from marsseg_plugins.encoders.efficientnet_lite0 import EfficientNetLite0
from marsseg_plugins.encoders.mit_b0 import MixTransformer


class TestEfficientNetLite0(EncoderContract):
    component = EfficientNetLite0()
    name = "efficientnet_lite0"
    # A constant in each channel, which the normalisation after the next 1×1 convolution cancels.
    cancelled = (*EncoderContract.cancelled, r"project_norm/beta$")


class TestMixTransformer(EncoderContract):
    component = MixTransformer(width=0.125, depths=(1, 1, 1, 1))
    name = "mit_b0"

    # All its layers are Keras' own.
    test_it_can_be_saved_and_loads_in_a_fresh_process = None


@pytest.mark.parametrize(("output_stride", "rates"), [(32, [1, 1]), (16, [1, 2]), (8, [2, 4])])
def test_a_mix_transformer_dilates_the_stages_that_keep_their_size(output_stride, rates):
    images = keras.Input((64, 64, 1))
    maps = TestMixTransformer.component.build(images, EncoderSpec(output_stride))
    network = keras.Model(images, maps)
    layers = [network.get_layer(f"encoder_stage{stage}_block1_mlp_depthwise") for stage in (3, 4)]
    assert [layer.dilation_rate[0] for layer in layers] == rates


def test_a_mix_transformer_drops_more_branches_in_later_blocks_and_none_in_the_first():
    images = keras.Input((32, 32, 1))
    network = keras.Model(images, MixTransformer(width=0.125).build(images, EncoderSpec()))
    drops = [layer for layer in network.layers if isinstance(layer, keras.layers.Dropout)]
    assert [layer.rate for layer in drops] == pytest.approx([0.1 / 7 * block for block in range(1, 8) for _ in (1, 2)])
    assert {layer.noise_shape for layer in drops} == {(None, 1, 1, 1)}


@pytest.mark.parametrize(
    ("encoder", "parameters", "channels"),
    [
        (EfficientNetLite0(), 2_998_304, {2: 16, 4: 24, 8: 40, 16: 112, 32: 320}),
        (MixTransformer(), 3_319_392, {4: 32, 8: 64, 16: 160, 32: 256}),
        (MixTransformer(width=2), 13_151_424, {4: 64, 8: 128, 16: 320, 32: 512}),
    ],
    ids=repr,
)
def test_it_has_the_published_number_of_weights(encoder, parameters, channels):
    images = keras.Input((64, 128, 3))
    maps = encoder.build(images, EncoderSpec())
    assert keras.Model(images, maps).count_params() == parameters
    assert {stride: features.shape[-1] for stride, features in maps.items()} == channels


def test_layers_after_a_stride_that_is_left_out_are_dilated():
    images = keras.Input((64, 64, 1))
    network = keras.Model(images, EfficientNetLite0().build(images, EncoderSpec(output_stride=8)))
    rates = {
        layer.name.removesuffix("_depthwise_conv").removeprefix("encoder_"): layer.dilation_rate[0]
        for layer in network.layers
        if layer.name.endswith("_depthwise_conv")
    }
    assert [rates[f"stage{number}_block1"] for number in range(1, 8)] == [1, 1, 1, 1, 2, 2, 4]
    assert [rates[f"stage{number}_block2"] for number in range(2, 7)] == [1, 1, 2, 2, 4]
