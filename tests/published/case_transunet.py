"""TransUNet, with and without its residual encoder, at a small configuration of the authors' code."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import keras
from agreement import Case, Source
from filling import fill

from marsseg_core.components.interfaces import NetworkSpec
from marsseg_plugins.architectures.transunet import TransUNet

SOURCE = Source("github.com/Beckschen/TransUNet", "02ef001")
UNITS = (1, 2, 2)
LAYERS = 2
# The decoder's first convolution has 512 filters in their code.
DECODER = (256, 32, 16, 8)


def case(encoder: Literal["hybrid", "patches"], rows: int, columns: int) -> Case:
    def network() -> keras.Model:
        component = TransUNet(
            encoder=encoder,
            units=UNITS,
            filters=(32, 64, 128),
            embedding=32,
            layers=LAYERS,
            heads=4,
            mlp=64,
            decoder=DECODER,
            epsilon=1e-5,
        )
        network = component.build(NetworkSpec(rows, columns, 3, 3))
        return fill(network, in_their_order(network, hybrid=encoder == "hybrid"))

    what, key = f"`encoder={encoder}`, {rows}×{columns}", f"{encoder}-{rows}x{columns}"
    return Case("transunet", what, SOURCE, "transunet", key, network, every=(3, 3, 1))


def in_their_order(network: keras.Model, *, hybrid: bool) -> Iterator[str]:
    names = {layer.name for layer in network.layers}
    yield "positions"
    if hybrid:
        yield from ("stem", "stem_norm")
        for stage, units in enumerate(UNITS, start=1):
            for unit in range(1, units + 1):
                name = f"stage{stage}_unit{unit}"
                for i in (1, 2, 3):
                    yield from (f"{name}_conv{i}_norm", f"{name}_conv{i}")
                if f"{name}_shortcut" in names:
                    yield from (f"{name}_shortcut", f"{name}_shortcut_norm")
    yield "embed"
    for block in range(1, LAYERS + 1):
        yield from (f"block{block}_{part}" for part in ("norm1", "norm2", "dense1", "dense2", "attention"))
    yield "encoded_norm"
    levels = range(1, len(DECODER) + 1)
    for name in ("decoder", *(f"decoder{level}_conv{i}" for level in levels for i in (1, 2))):
        yield from (name, f"{name}_norm")
    yield "logits"


CASES = [case(encoder, *size) for encoder in ("hybrid", "patches") for size in ((64, 128), (96, 96))]
