"""Attention U-Net with the authors' parts, in two dimensions."""

from __future__ import annotations

from collections.abc import Iterator

import keras
from agreement import Case, Source
from filling import fill, move_first_inputs_last

from marsseg_core.components.interfaces import NetworkSpec
from marsseg_plugins.architectures.attention import AttentionUNet

SOURCE = Source("github.com/ozan-oktay/Attention-Gated-Networks", "eee4881")
FILTERS = (4, 8, 16, 32)


def network() -> keras.Model:
    component = AttentionUNet(filters=FILTERS, combine=True, head="levels", upsampling="bilinear", epsilon=1e-5)
    network = fill(component.build(NetworkSpec(32, 64, 1, 3)), in_their_order())
    for level, filters in enumerate(FILTERS, start=1):
        # They concatenate the skip before the map from below.
        move_first_inputs_last(network.get_layer(f"decoder{level}_conv1"), filters)
    return network


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


CASES = [Case("attention", "combined gates, a head on each level, in 2-D", SOURCE, "attention", "32x64", network)]
