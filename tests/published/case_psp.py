"""The pyramid of PSPNet and the convolution behind it."""

from __future__ import annotations

from collections.abc import Iterator

import keras
from agreement import Case, Source, bottleneck
from filling import Fill, fill, from_torch, without_bias

from marsseg_plugins.bottlenecks.psp import PSP

SOURCE = Source("github.com/hszhao/semseg", "4f274c3")


def case(rows: int, columns: int) -> Case:
    def network() -> keras.Model:
        component = PSP(bins=(1, 2, 3, 6), filters=4, out=12, epsilon=1e-5)
        return fill(bottleneck(component, rows, columns, 16), in_their_order())

    return Case("psp", f"bins 1, 2, 3, 6 on {rows}×{columns}", SOURCE, "psp", f"{rows}x{columns}", network)


def in_their_order() -> Iterator[tuple[str, Fill]]:
    for part in ("branch1", "branch2", "branch3", "branch4", "out"):
        yield f"psp_{part}_conv", without_bias
        yield f"psp_{part}_norm", from_torch


CASES = [case(15, 22), case(7, 12)]
