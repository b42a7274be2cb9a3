"""Attention U-Net with the authors' parts, for the same weights (README.md says how it was recorded)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np
from sines import assert_agrees, fill, image, with_epsilon

from marsseg_core.components import NetworkSpec
from marsseg_plugins.architectures.attention import AttentionUNet

RECORDED = np.load(Path(__file__).with_name("attention.npz"))["32x64"]
FILTERS = (4, 8, 16, 32)


def in_their_order() -> Iterator[str]:
    for block in ("encoder1", "encoder2", "encoder3", "encoder4", "bottom"):
        for i in (1, 2):
            yield from (f"{block}_conv{i}", f"{block}_conv{i}_norm")
    yield from ("signal_conv", "signal_norm")
    for gate in ("gate2", "gate3", "gate4"):
        yield from (f"{gate}_conv", f"{gate}_norm", f"{gate}_theta", f"{gate}_phi", f"{gate}_psi")
        yield from (f"{gate}_combine", f"{gate}_combine_norm")
    for level in (4, 3, 2, 1):
        for i in (1, 2):
            yield from (f"decoder{level}_conv{i}", f"decoder{level}_conv{i}_norm")
    yield from (f"classes{level}" for level in (4, 3, 2, 1))
    yield "logits"


def test_equal_weights_give_the_authors_outputs():
    parts = {"combine": True, "head": "levels", "upsampling": "bilinear"}
    network = with_epsilon(AttentionUNet(filters=FILTERS, **parts).build(NetworkSpec(32, 64, 1, 3)), 1e-5)
    fill(network, in_their_order())
    for level, filters in enumerate(FILTERS, start=1):
        # They concatenate the skip before the map from below, here it comes after it.
        kernel = network.get_layer(f"decoder{level}_conv1").kernel
        numbers = keras.ops.convert_to_numpy(kernel)
        kernel.assign(np.concatenate([numbers[:, :, filters:], numbers[:, :, :filters]], axis=2))
    found = keras.ops.convert_to_numpy(network(image(1, 32, 64, 1), training=False))
    assert_agrees(found, RECORDED)
