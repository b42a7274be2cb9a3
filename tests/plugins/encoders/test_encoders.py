"""The built-in encoders pass the contract, and have the published numbers of parameters."""

import keras
import pytest

from marsseg_core.components.specs import EncoderSpec
from marsseg_core.testing import EncoderContract
from marsseg_plugins.encoders.efficientnet_lite0 import EfficientNetLite0


class TestEfficientNetLite0(EncoderContract):
    component = EfficientNetLite0()
    name = "efficientnet_lite0"
    # A constant in each channel, which the normalisation after the next 1×1 convolution cancels.
    cancelled = (*EncoderContract.cancelled, r"project_norm/beta$")


@pytest.mark.parametrize(
    ("encoder", "parameters", "channels"),
    [(EfficientNetLite0(), 2_998_304, {2: 16, 4: 24, 8: 40, 16: 112, 32: 320})],
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
