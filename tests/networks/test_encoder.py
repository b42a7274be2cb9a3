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


def sources(network, name):
    """Return the names of the layers whose outputs are the inputs of the layer."""
    inputs = network.get_layer(name).input
    return [tensor._keras_history.operation.name for tensor in (inputs if isinstance(inputs, list) else [inputs])]


@pytest.mark.parametrize("size", [{}, SMALL], ids=["64x128", "40x70"])
def test_unet_takes_the_maps_of_an_encoder(size):
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


def test_a_row_of_unetpp_without_a_map_begins_with_its_first_node():
    network = marsseg.network("unetpp:width=0.0625:deep_supervision=true", encoder=Halving())
    assert sources(network, "x0.1_conv1") == ["x0.1_up"]
    assert sources(network, "x0.1_up") == ["encoder_conv2"]
    assert sources(network, "merge0.2") == ["x0.1_relu2", "x0.2_up"]
    assert sources(network, "logits") == ["x0.5_relu2"]
    assert list(network.output) == ["logits", "aux_2", "aux_3", "aux_4", "aux_5"]
    assert sources(network, "aux_5") == ["x0.1_relu2"]


def test_attention_gates_the_maps_of_an_encoder():
    network = marsseg.network("attention:width=0.0625", encoder=Halving())
    gates = [layer.name for layer in network.layers if layer.name.endswith("_psi")]
    assert gates == [f"gate{level}_psi" for level in (5, 4, 3, 2)]
    assert sources(network, "merge5") == ["up5", "gate5_norm"]
    assert sources(network, "decoder1_conv1") == ["up1"]


def test_unet3plus_combines_the_maps_that_there_are():
    network = marsseg.network("unet3plus:width=0.0625", encoder=Halving())
    assert sources(network, "merge1") == [f"decoder1_from{level}_relu1" for level in (2, 3, 4, 5, 6)]
    assert sources(network, "decoder5_from2_pool") == ["encoder_conv2"]
    assert network.get_layer("decoder5_from2_pool").pool_size == (8, 8)
    assert network.get_layer("decoder1_conv1").filters == 5 * 4


def test_deeplabv3plus_upsamples_from_the_output_stride_of_the_plan():
    network = marsseg.network("deeplabv3plus:width=0.0625", encoder="mit_b0:width=0.125:output_stride=8")
    assert network.get_layer("context_aspp_out_conv").output.shape[1:3] == (8, 16)
    assert sources(network, "decoder_merge")[0] == "low_relu"
    assert network.get_layer("decoder_merge").output.shape[1:3] == (16, 32)
    assert network.output_shape == (None, 64, 128, 5)


def test_deeplabv3plus_asks_for_the_output_stride_16_and_takes_rates_below_the_side_of_its_map():
    network = marsseg.network("deeplabv3plus:width=0.0625:separable=true", encoder=Halving())
    assert [network.get_layer(f"context_aspp_atrous{i}_conv").dilation_rate[0] for i in (1, 2, 3)] == [1, 2, 3]
    assert type(network.get_layer("decoder_conv2")).__name__ == "SeparableConv2D"


def test_fpn_upsamples_each_level_to_the_finest_one():
    network = marsseg.network("fpn:width=0.0625", encoder=Halving(), bottleneck="aspp")
    last = ["semantic5.3_up", "semantic4.2_up", "semantic3.1_up", "semantic2.1_relu1"]
    assert sources(network, "sum") == last
    assert sources(network, "pyramid2_add") == ["pyramid2_lateral", "pyramid2_up"]
    assert sources(network, "pyramid5_lateral") == ["bottleneck1_aspp_out_relu"]
    assert sources(network, "pyramid2_lateral") == ["encoder_conv4"]


def test_segformer_has_its_own_encoder_or_that_of_the_plan():
    own = marsseg.network("segformer:width=0.125")
    given = marsseg.network("segformer:width=0.125", encoder="mit_b0:width=0.125")
    assert [weight.shape for weight in own.weights] == [weight.shape for weight in given.weights]
    other = marsseg.network("segformer:width=0.125", encoder=Halving(), bottleneck="aspp")
    assert sources(other, "merge") == ["decoder5_up", "decoder4_up", "decoder3_up", "decoder2_dense"]
    assert sources(other, "decoder5_dense") == ["bottleneck1_aspp_out_relu"]
    assert "encoder_stage1_norm" not in [layer.name for layer in other.layers]


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
    assert ("encoder.efficientnet_lite0.output_stride", "16", "Python") in plan.rows()
    assert "[encoder]" not in marsseg.plan(arch="unet").to_toml()
    assert ("encoder", "none", "default") in marsseg.plan(arch="unet").rows()
