"""ResUNet++ of the authors' Keras code and of their PyTorch code, with all its filters."""

from __future__ import annotations

from collections.abc import Iterator

import keras
from agreement import Case, Source
from filling import fill, from_keras

from marsseg_core.components.interfaces import NetworkSpec
from marsseg_plugins.architectures.resunetpp import ResUNetPlusPlus

SOURCE = Source("github.com/DebeshJha/ResUNetPlusPlus", "f07b906")


def in_keras() -> keras.Model:
    network = ResUNetPlusPlus().build(NetworkSpec(40, 64, 3, 1))
    # They make the branches of rates 6, 12 and 18, then the one of rate 1.
    return fill(network, ((name, from_keras) for name in in_their_order(2, 3, 4, 1)))


def in_torch() -> keras.Model:
    network = ResUNetPlusPlus(padding="symmetric", epsilon=1e-5).build(NetworkSpec(40, 64, 3, 1))
    return fill(network, in_their_order(1, 2, 3, 4))


def in_their_order(*branches: int) -> Iterator[str]:
    unit = ("pre1_norm", "conv1", "pre2_norm", "conv2", "shortcut", "shortcut_norm", "reduce", "excite")
    yield from (f"encoder1_{part}" for part in unit[1:])
    for level in (2, 3, 4):
        yield from (f"encoder{level}_{part}" for part in unit)
    yield from aspp("bridge", branches)
    for level in (3, 2, 1):
        for part in ("skip", "decoder", "sum"):
            yield from (f"attention{level}_{part}_norm", f"attention{level}_{part}_conv")
        yield from (f"decoder{level}_{part}" for part in unit)
    yield from aspp("out", branches)
    yield "logits"


def aspp(name: str, branches: tuple[int, ...]) -> Iterator[str]:
    for branch in branches:
        yield from (f"{name}_atrous{branch}", f"{name}_atrous{branch}_norm")
    yield f"{name}_conv"


CASES = [
    Case("resunetpp", "their Keras code", SOURCE, "resunetpp", "keras", in_keras, every=(2, 2, 1)),
    Case("resunetpp", "their PyTorch code", SOURCE, "resunetpp", "torch", in_torch, every=(2, 2, 1)),
]
