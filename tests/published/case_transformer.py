"""The transformer bottleneck against PyTorch's own encoder, norm first, behind a 3×3 convolution and positions."""

from __future__ import annotations

from collections.abc import Iterator

import keras
from agreement import Case, Source, bottleneck
from filling import Fill, fill, from_torch, packed_attention

from marsseg_plugins.bottlenecks.transformer import Transformer

SOURCE = Source("github.com/pytorch/pytorch", "cf30153", "its own encoder, 2.13.0")


def case(rows: int, columns: int) -> Case:
    def network() -> keras.Model:
        component = Transformer(filters=16, heads=4, mlp=32, layers=2)
        return fill(bottleneck(component, rows, columns, 8), in_their_order())

    what = f"norm first, learned positions, on {rows}×{columns}"
    return Case("transformer", what, SOURCE, "transformer", f"{rows}x{columns}", network)


def in_their_order() -> Iterator[tuple[str, Fill]]:
    yield "transformer_positions", from_torch
    yield "transformer_embed", from_torch
    for block in ("transformer_block1", "transformer_block2"):
        yield f"{block}_attention", packed_attention
        yield from ((f"{block}_{part}", from_torch) for part in ("dense1", "dense2", "norm1", "norm2"))
    yield "transformer_norm", from_torch


CASES = [case(4, 8), case(8, 6)]
