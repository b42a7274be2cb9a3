"""ResUNet++ of the authors' Keras code, with all its filters."""

from __future__ import annotations

from collections.abc import Iterator

import keras
from agreement import Case, Source
from filling import fill, from_keras

from marsseg_core.components import NetworkSpec
from marsseg_plugins.architectures.resunetpp import ResUNetPlusPlus

SOURCE = Source("github.com/DebeshJha/ResUNetPlusPlus", "f07b906")


def network() -> keras.Model:
    network = ResUNetPlusPlus().build(NetworkSpec(40, 64, 3, 1))
    return fill(network, ((name, from_keras) for name in in_their_order()))


def in_their_order() -> Iterator[str]:
    unit = ("pre1_norm", "conv1", "pre2_norm", "conv2", "shortcut", "shortcut_norm", "reduce", "excite")
    yield from (f"encoder1_{part}" for part in unit[1:])
    for level in (2, 3, 4):
        yield from (f"encoder{level}_{part}" for part in unit)
    yield from aspp("bridge")
    for level in (3, 2, 1):
        for part in ("skip", "decoder", "sum"):
            yield from (f"attention{level}_{part}_norm", f"attention{level}_{part}_conv")
        yield from (f"decoder{level}_{part}" for part in unit)
    yield from aspp("out")
    yield "logits"


def aspp(name: str) -> Iterator[str]:
    # Rates 6, 12 and 18, then the one of rate 1.
    for branch in (2, 3, 4, 1):
        yield from (f"{name}_atrous{branch}", f"{name}_atrous{branch}_norm")
    yield f"{name}_conv"


CASES = [Case("resunetpp", "16 to 256 filters, Keras", SOURCE, "resunetpp", "keras", network, every=(2, 2, 1))]
