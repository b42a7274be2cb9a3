"""Check that every component with batch normalisation has the parameter `epsilon`."""

from __future__ import annotations

import importlib

import keras
import pytest
from helpers.components import standing_alone
from helpers.networks import spec_for
from keras import layers

from marsseg_core.components.interfaces import NetworkSpec
from marsseg_core.components.specs import BottleneckSpec
from marsseg_core.registry import kinds
from marsseg_plugins.architectures.unet import UNet

WITHOUT = {"swin", "transformer"}
# The parameters with which components have batch normalisation that do not have it by default.
BATCH = {"fpn": {"normalisation": "batch"}}
ENTRIES = [entry for kind in (kinds.ARCHITECTURE, kinds.BOTTLENECK) for entry in standing_alone(kind)]


def epsilons(entry, **parameters) -> set[float]:
    """Return the epsilons of all batch normalisations in a network with an eighth of the width."""
    component = getattr(importlib.import_module(entry.module), entry.target.partition(":")[2])
    component = component(width=0.125, **BATCH.get(entry.name, {}), **parameters)
    if entry.kind == kinds.ARCHITECTURE:
        network = component.build(spec_for(component, 32, 64, 1, 3))
    else:
        features = keras.Input((4, 8, 16))
        network = keras.Model(features, component.build(features, BottleneckSpec(3)))
    return {layer.epsilon for layer in network.layers if isinstance(layer, layers.BatchNormalization)}


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_epsilon_reaches_every_batch_normalisation(entry):
    if entry.name in WITHOUT:
        assert epsilons(entry) == set()
        return
    # The default of Keras, which plans without this key used.
    assert epsilons(entry) == {1e-3}
    assert epsilons(entry, epsilon=1e-5) == {1e-5}


def test_epsilon_reaches_group_normalisation():
    network = UNet(width=0.125, depth=1, normalisation="group", epsilon=1e-5).build(NetworkSpec(8, 8, 1, 2))
    assert {layer.epsilon for layer in network.layers if isinstance(layer, layers.GroupNormalization)} == {1e-5}
