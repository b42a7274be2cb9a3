"""Check that the networks have exactly the published numbers of parameters."""

from __future__ import annotations

import tomllib
from importlib import resources

import keras
import pytest

from marsseg_core.components.interfaces import Architecture, NetworkSpec
from marsseg_core.registry.parameters import configure
from marsseg_plugins.architectures.dense import DenseUNet
from marsseg_plugins.architectures.dual import DualUNet
from marsseg_plugins.architectures.resunet import ResUNet
from marsseg_plugins.architectures.resunetpp import ResUNetPlusPlus
from marsseg_plugins.architectures.segformer import SegFormer
from marsseg_plugins.architectures.seunet import SEUNet
from marsseg_plugins.architectures.transunet import TransUNet
from marsseg_plugins.architectures.unet import UNet
from marsseg_plugins.architectures.unet3plus import UNet3Plus
from marsseg_plugins.architectures.unetpp import UNetPlusPlus
from marsseg_plugins.bottlenecks.aspp import ASPP
from marsseg_plugins.bottlenecks.transformer import Transformer

BOTTLENECKS = {"transformer": Transformer, "aspp": ASPP}


def trainable(network: keras.Model) -> int:
    return sum(weight.value.numpy().size for weight in network.trainable_weights)


def recipe(name: str) -> dict:
    folder = resources.files("marsseg_plugins.recipes")
    return tomllib.loads((folder / f"{name}.toml").read_text(encoding="utf-8"))


def from_recipe(cls: type[Architecture], name: str, **changes) -> Architecture:
    values = recipe(name)["arch"] | changes
    return configure(cls, {key: value for key, value in values.items() if key != "name"})


PUBLISHED_UNET = {"upsampling": "transposed", "normalisation": "none"}
SUPERVISED = UNet3Plus(deep_supervision=True)
PAIR = UNet3Plus(deep_supervision=True, guided=True, presence="pair")


@pytest.mark.parametrize(
    ("component", "channels", "classes", "expected"),
    [
        (UNet(**PUBLISHED_UNET), 1, 1, 7_759_521),
        (UNet(**PUBLISHED_UNET), 1, 5, 7_759_653),
        (UNet(width=2, **PUBLISHED_UNET), 1, 1, 31_030_593),
        (UNet(width=2, **PUBLISHED_UNET), 1, 5, 31_030_853),
        (UNet(width=2, **PUBLISHED_UNET), 3, 1, 31_031_745),
        (from_recipe(UNetPlusPlus, "unetpp-paper", deep_supervision=False), 1, 1, 9_041_601),
        (from_recipe(UNetPlusPlus, "unetpp-paper", deep_supervision=False), 1, 5, 9_041_733),
        (from_recipe(UNetPlusPlus, "unetpp-paper"), 1, 1, 9_041_700),
        (from_recipe(UNetPlusPlus, "unetpp-paper"), 1, 5, 9_042_228),
        (UNet3Plus(), 3, 1, 26_971_777),
        (UNet3Plus(), 1, 1, 26_970_625),
        (UNet3Plus(), 1, 5, 26_982_149),
        (SUPERVISED, 3, 1, 26_989_637),
        (SUPERVISED, 1, 5, 27_071_449),
        (PAIR, 3, 1, 26_991_687),
        (PAIR, 1, 5, 27_073_499),
        (from_recipe(UNet3Plus, "unet3plus-paper"), 1, 5, 27_076_574),
        (ResUNetPlusPlus(), 3, 1, 4_062_993),
        (ResUNet(), 3, 1, 8_223_809),
        (SEUNet(), 1, 5, 478_405),
        (SegFormer(), 3, 19, 3_719_027),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Architecture) else str(value),
)
def test_trainable_parameters(component, channels, classes, expected):
    assert trainable(component.build(NetworkSpec(64, 128, channels, classes))) == expected


def test_all_parameters_of_resunetpp():
    assert ResUNetPlusPlus().build(NetworkSpec(64, 128, 3, 1)).count_params() == 4_070_385


@pytest.mark.parametrize(("encoder", "expected"), [("hybrid", 105_277_081), ("patches", 91_674_201)])
def test_transunet_of_the_paper(encoder, expected):
    component = from_recipe(TransUNet, "transunet-paper", encoder=encoder)
    assert trainable(component.build(NetworkSpec(224, 224, 3, 9))) == expected


def test_the_reports_dense_unet():
    plan = recipe("report")
    bottlenecks = tuple(
        configure(BOTTLENECKS[table["name"]], {key: value for key, value in table.items() if key != "name"})
        for table in plan["bottleneck"]
    )
    network = from_recipe(DenseUNet, "report").build(NetworkSpec(64, 128, 1, 5, bottlenecks))
    assert (network.count_params(), trainable(network)) == (20_323_914, 20_320_074)


def test_the_reports_dual_unet_is_built_from_its_texts():
    texts = []

    def compose(text):
        texts.append(text)
        return (ASPP(),)

    component = from_recipe(DualUNet, "dual-report", width=0.125)
    network = component.build(NetworkSpec(64, 128, 1, 5, compose=compose))
    assert texts == ["aspp", "aspp"]
    assert network.get_layer("first.bottleneck1_aspp_out_conv")
    assert network.get_layer("second.bottleneck1_aspp_out_conv")
