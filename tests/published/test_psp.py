"""The pyramid of PSPNet against the authors' module for the same weights (README.md says how it was recorded)."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
from sines import Sines, assert_agrees, image, with_epsilon

from marsseg_core.components import BottleneckSpec
from marsseg_plugins.bottlenecks.psp import PSP

RECORDED = np.load(Path(__file__).with_name("psp.npz"))


@pytest.mark.parametrize("size", [(15, 22), (7, 12)])
def test_equal_weights_give_the_authors_outputs(size):
    features = keras.Input((*size, 16))
    component = PSP(bins=(1, 2, 3, 6), filters=4, out=12)
    network = with_epsilon(keras.Model(features, component.build(features, BottleneckSpec(3))), 1e-5)
    sines = Sines()
    for part in ("branch1", "branch2", "branch3", "branch4", "out"):
        sines.fill(network.get_layer(f"psp_{part}_conv"), bias=False)
        sines.fill(network.get_layer(f"psp_{part}_norm"))
    found = keras.ops.convert_to_numpy(network(image(1, *size, 16), training=False))
    assert_agrees(found, RECORDED[f"{size[0]}x{size[1]}"])
