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
