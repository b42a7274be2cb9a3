"""The authors' feature pyramid and its semantic head."""

from __future__ import annotations

from collections.abc import Iterator

import keras
from agreement import Case, Source
from filling import Fill, fill, from_torch, without_bias
from pooled import Pooled

from marsseg_core.components.interfaces import NetworkSpec
from marsseg_plugins.architectures.fpn import FPN

SOURCE = Source("github.com/facebookresearch/detectron2", "02b5c4e2")
ENCODER = Pooled({4: 4, 8: 6, 16: 8, 32: 12})


def network() -> keras.Model:
    component = FPN(pyramid=32, filters=64, smoothing=True, epsilon=1e-5)
    return fill(component.build(NetworkSpec(64, 128, 1, 5, encoder=ENCODER)), in_their_order())


def in_their_order() -> Iterator[tuple[str, Fill]]:
    for level in (2, 3, 4, 5):
        yield f"pyramid{level}_lateral", from_torch
        yield f"pyramid{level}_smooth", from_torch
    yield from ((name, from_torch) for name in ENCODER.in_their_order())
    for level, steps in ((2, 1), (3, 1), (4, 2), (5, 3)):
        for step in range(1, steps + 1):
            yield f"semantic{level}.{step}_conv1", without_bias
            yield f"semantic{level}.{step}_conv1_norm", from_torch
    yield "logits", from_torch


CASES = [Case("fpn", "pyramid and semantic head", SOURCE, "fpn", "64x128", network, every=(3, 3, 1))]
