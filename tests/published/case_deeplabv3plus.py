"""The head of DeepLabV3+ in a well-known PyTorch port, which has one convolution after the concatenation."""

from __future__ import annotations

from collections.abc import Iterator

import keras
from agreement import Case, Source
from filling import Fill, fill, from_torch, without_bias
from pooled import Pooled

from marsseg_core.components.interfaces import NetworkSpec
from marsseg_plugins.architectures.deeplabv3plus import DeepLabV3Plus

SOURCE = Source("github.com/VainF/DeepLabV3Plus-Pytorch", "4e1087d", "a port")
ENCODER = Pooled({4: 8, 16: 16})


def network() -> keras.Model:
    component = DeepLabV3Plus(rates=(1, 2, 3), convolutions=1, epsilon=1e-5)
    return fill(component.build(NetworkSpec(64, 128, 1, 5, encoder=ENCODER)), in_their_order())


def in_their_order() -> Iterator[tuple[str, Fill]]:
    yield from ((name, from_torch) for name in ENCODER.in_their_order())
    branches = [f"context_aspp_{name}" for name in ("point", "atrous1", "atrous2", "atrous3", "pooled", "out")]
    for name in ("low", *branches):
        yield f"{name}_conv", without_bias
        yield f"{name}_norm", from_torch
    yield "decoder_conv1", without_bias
    yield "decoder_conv1_norm", from_torch
    yield "logits", from_torch


CASES = [Case("deeplabv3plus", "its head, rates 1, 2, 3", SOURCE, "deeplabv3plus", "64x128", network, every=(3, 3, 1))]
