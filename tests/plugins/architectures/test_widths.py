"""Check that networks of any `width` distinguish images, and that all of their weights learn."""

from __future__ import annotations

import re
from collections.abc import Callable

import keras
import numpy as np
import pytest
from helpers.components import standing_alone
from helpers.networks import spec_for
from keras import layers

import marsseg_core as marsseg
from marsseg_core.components.interfaces import NetworkSpec
from marsseg_core.components.specs import BottleneckSpec
from marsseg_core.registry import kinds
from marsseg_core.registry.catalog import installed
from marsseg_core.registry.loading import load
from marsseg_core.testing.architectures import GradientRecorder, make_batch, reset_keras, train
from marsseg_plugins.architectures.residual import squeeze_excite
from marsseg_plugins.architectures.transunet import TransUNet
from marsseg_plugins.widths import FEWEST_NORMALISED, scaled

SIZE = (32, 64)
# Components with normalisation over channels or squeeze-and-excitation; the others can have one filter per layer.
DELICATE = ("transunet", "resunetpp", "transformer", "swin")


def names(kind):
    built_in = [entry.name for entry in standing_alone(kind)]
    return [pytest.param(name, marks=[] if name in DELICATE else [pytest.mark.slow]) for name in built_in]


def assert_learns(build: Callable[[], keras.Model]) -> None:
    """Check that outputs differ between images, and that each weight has a gradient for one of several seeds.

    Several seeds, because for a single one some ReLUs may be 0 for all images.
    """
    images, labels = make_batch(SIZE, 1, 3)
    dead, apart = None, 0.0
    for seed in range(1, 9):
        reset_keras(seed)
        network = build()
        logits = network(images, training=False)
        logits = keras.ops.convert_to_numpy(logits["logits"] if isinstance(logits, dict) else logits)
        apart = max(apart, np.ptp(logits, axis=0).max() / np.abs(logits).max())
        recorder = GradientRecorder(3e-3)
        train(network, recorder, images, labels, 1, eager=True)
        without_gradient = {path for path in recorder.unreached() if not re.search(r"/bias$", path)}
        dead = without_gradient if dead is None else dead & without_gradient
        if not dead and apart > 0.01:
            return
    assert not dead
    assert apart > 0.01


@pytest.mark.parametrize("name", names(kinds.ARCHITECTURE))
def test_an_architecture_of_the_smallest_width_learns(name):
    component = load(installed().find(kinds.ARCHITECTURE, name))(width=0.001)
    assert_learns(lambda: component.build(spec_for(component, *SIZE, 1, 3)))


@pytest.mark.parametrize("name", names(kinds.BOTTLENECK))
def test_a_bottleneck_of_the_smallest_width_learns(name):
    component = load(installed().find(kinds.BOTTLENECK, name))(width=0.001)

    def build() -> keras.Model:
        images = keras.Input((*SIZE, 1))
        x = component.build(layers.Conv2D(8, 3, 8, padding="same")(images), BottleneckSpec(3))
        return keras.Model(images, layers.Conv2D(3, 1)(layers.UpSampling2D(8)(x)))

    assert_learns(build)


@pytest.mark.parametrize("width", [0.05, 0.09, 0.125])
def test_transunet_distinguishes_images_at_any_width(width):
    """At 0.09 a standardised kernel over one channel was 0, and every image gave the same logits."""
    network = TransUNet(width=width, layers=1).build(NetworkSpec(*SIZE, 1, 3))
    images = np.random.default_rng(0).random((2, *SIZE, 1), dtype=np.float32)
    first, second = keras.ops.convert_to_numpy(network(images, training=False))
    assert np.abs(first - second).max() > 0.01 * np.abs(first).max()
    assert network.get_layer("stem").filters == FEWEST_NORMALISED


@pytest.mark.parametrize("bottleneck", ["transformer:width=0.01:layers=1", "swin:width=0.01:layers=1"])
def test_a_token_has_four_channels_at_any_width(bottleneck):
    network = marsseg.network("unet:width=0.1:depth=1", bottleneck=bottleneck, height=8, width=16)
    embed = next(layer for layer in network.layers if layer.name.endswith("_embed"))
    assert embed.filters == FEWEST_NORMALISED


def test_channels_are_scaled_and_rounded_but_not_below_the_minimum():
    assert [scaled(64, width) for width in (1.0, 0.1, 0.001)] == [64, 6, 1]
    assert [scaled(64, width, 4) for width in (1.0, 0.1, 0.001)] == [64, 6, 4]


@pytest.mark.parametrize(("channels", "hidden"), [(4, 2), (8, 2), (16, 2), (32, 4)])
def test_a_squeeze_has_at_least_two_hidden_units(channels, hidden):
    inputs = keras.Input((4, 4, channels))
    network = keras.Model(inputs, squeeze_excite(inputs, name="gate"))
    assert network.get_layer("gate_reduce").units == hidden
