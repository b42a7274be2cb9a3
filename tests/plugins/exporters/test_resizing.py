"""Formats of other runtimes enlarge maps by their own operation for this, and compute the same."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers

from marsseg_core.components.exports import ExportSpec
from marsseg_plugins.exporters.onnx_format import Onnx

pytest.importorskip("tf2onnx")
pytest.importorskip("onnxruntime")


def decoder(height, width):
    """A network inside another, as an exported one is: its maps are enlarged in several ways."""
    maps = keras.Input((height, width, 2))
    enlarged = [
        layers.UpSampling2D((2, 3))(maps),
        layers.UpSampling2D((1, 3))(layers.UpSampling2D((2, 1))(maps)),
        layers.Conv2DTranspose(1, 3, strides=(2, 3), padding="same")(maps),
    ]
    if height is not None:  # Keras itself cannot do this for maps of any size
        enlarged.append(layers.UpSampling2D((2, 3), interpolation="bilinear")(maps))
    x = layers.Concatenate()(enlarged)
    images = keras.Input((height, width, 2))
    return keras.Model(images, keras.Model(maps, x, name="inner")(images / 2))


@pytest.mark.parametrize("size", [(5, 7), (None, None)])
def test_maps_are_enlarged_by_an_operation_of_the_runtime(tmp_path, size):
    onnx = pytest.importorskip("onnx")
    network = decoder(*size)
    Onnx().write(ExportSpec(network, "logits", {}), tmp_path / "net.onnx")
    kinds = [node.op_type for node in onnx.load(tmp_path / "net.onnx").graph.node]
    assert kinds.count("Resize") == (3 if None in size else 4)
    assert "Tile" not in kinds
    images = np.random.default_rng(0).normal(size=(3, 5, 7, 2)).astype(np.float32)
    found = Onnx().open(tmp_path / "net.onnx")(images)
    np.testing.assert_allclose(found, network(images), atol=1e-5)


def test_the_network_itself_stays_as_it_was(tmp_path):
    network = decoder(5, 7)
    before = network.get_config()
    Onnx().write(ExportSpec(network, "logits", {}), tmp_path / "net.onnx")
    assert network.get_config() == before
