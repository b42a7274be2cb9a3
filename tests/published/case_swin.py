"""Two blocks of the authors' Swin transformer, the second one shifted, and its last norm."""

from __future__ import annotations

from collections.abc import Iterator

import keras
from agreement import Case, Source, bottleneck
from filling import Fill, fill, from_torch, identity
from sines import Sines

from marsseg_plugins.bottlenecks.swin import Swin
from marsseg_plugins.bottlenecks.windows import WindowAttention

SOURCE = Source("github.com/microsoft/Swin-Transformer", "f82860b")
CHANNELS = 16


def case(rows: int, columns: int, window: int) -> Case:
    def network() -> keras.Model:
        component = Swin(window=window, heads=4, epsilon=1e-5)
        return fill(bottleneck(component, rows, columns, CHANNELS), in_their_order())

    return Case("swin", f"windows of {window} on {rows}×{columns}", SOURCE, "swin", f"{rows}x{columns}", network)


def in_their_order() -> Iterator[tuple[str, Fill]]:
    # Their map has as many channels as tokens have from the start.
    yield "swin_embed", identity
    for block in ("swin_block1", "swin_block2"):
        yield f"{block}_norm1", from_torch
        yield f"{block}_attention", attention
        yield from ((f"{block}_{part}", from_torch) for part in ("norm2", "dense1", "dense2"))
    yield "swin_norm", from_torch


def attention(sines: Sines, layer: WindowAttention) -> None:
    layer.position_bias.assign(sines.shift(*layer.position_bias.shape))
    from_torch(sines, layer.project_in)
    from_torch(sines, layer.project_out)


CASES = [case(8, 16, 4), case(4, 8, 2), case(16, 8, 4)]
