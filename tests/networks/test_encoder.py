"""A network takes an encoder by name, where its architecture has a place for one."""

from dataclasses import dataclass

import keras
import pytest

import marsseg_core as marsseg
from marsseg_core.components.interfaces import Architecture, Encoder
from marsseg_core.errors import PluginError, RequestError


@dataclass(frozen=True)
class Halving(Encoder):
    """Halve the maps at each stride."""

    fault: str = ""

    def build(self, images, spec):
        maps, x = {}, images
        for stride in (2, 4, 8, 16, 32):
            strides = 2 if stride <= spec.output_stride else 1
            name = f"{spec.prefix}conv{stride}"
            x = keras.layers.Conv2D(4, 3, strides, padding="same", name=name)(x)
            maps[min(stride, spec.output_stride)] = x
        if self.fault == "no maps":
            return x
        if self.fault == "a stride is missing":
            del maps[4]
        if self.fault == "another size":
            maps[2] = maps[4]
        return maps


@dataclass(frozen=True)
class Forgetful(Architecture):
    """Take an encoder, and forget it."""

    takes_encoder = True

    def build(self, spec):
        images = keras.Input((spec.height, spec.width, spec.channels))
        return keras.Model(images, keras.layers.Conv2D(spec.num_classes, 1)(images))


SMALL = {"height": 40, "width": 70}


@pytest.mark.parametrize("size", [{}, SMALL], ids=["64x128", "40x70"])
@pytest.mark.parametrize("stride", [None, 8, 16])
def test_unet_takes_the_maps_of_an_encoder(size, stride):
    network = marsseg.network("unet:width=0.125", encoder=Halving(), **size)
    assert network.output_shape == (None, size.get("height", 64), size.get("width", 128), 5)
    names = [layer.name for layer in network.layers]
    assert "encoder_conv32" in names
    assert "encoder1_conv1" not in names


def test_the_output_stride_of_the_plan_reaches_the_encoder():
    network = marsseg.network("unet:width=0.125", encoder="efficientnet_lite0:output_stride=8")
    assert network.get_layer("encoder_stage7_block1_project_conv").output.shape[1:3] == (8, 16)
    assert "decoder3_conv1" in [layer.name for layer in network.layers]
    assert "decoder4_conv1" not in [layer.name for layer in network.layers]


def test_an_architecture_that_takes_none_refuses_it():
    with pytest.raises(RequestError, match="'dense' does not take an encoder") as caught:
        marsseg.network("dense", encoder="efficientnet_lite0")
    assert "unet" in caught.value.hint


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("no maps", "not feature maps by their strides"),
        ("a stride is missing", r"maps of the strides \[2, 8, 16, 32\]"),
        ("another size", "for the stride 2"),
    ],
)
def test_a_wrong_encoder_is_named(fault, message):
    with pytest.raises(PluginError, match=message):
        marsseg.network("unet", encoder=Halving(fault))


def test_an_architecture_that_forgets_the_encoder_is_named():
    with pytest.raises(PluginError, match="does not use the encoder"):
        marsseg.network(Forgetful(), encoder=Halving())


def test_an_encoder_of_a_run_is_in_its_plan():
    plan = marsseg.plan(arch="unet", encoder="efficientnet_lite0:output_stride=16")
    assert 'name = "efficientnet_lite0"' in plan.to_toml()
    assert ("encoder.efficientnet_lite0.output_stride", "16", "command line") in plan.rows()
    assert "[encoder]" not in marsseg.plan(arch="unet").to_toml()
    assert ("encoder", "none", "default") in marsseg.plan(arch="unet").rows()
