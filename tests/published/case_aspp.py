"""ASPP as in a well-known PyTorch port of DeepLabV3, which is the module of torchvision too."""

from __future__ import annotations

from collections.abc import Iterator

import keras
from agreement import Case, Source, bottleneck
from filling import Fill, fill, from_torch, without_bias

from marsseg_plugins.bottlenecks.aspp import ASPP

SOURCE = Source("github.com/VainF/DeepLabV3Plus-Pytorch", "4e1087d", "a port")


def case(rows: int, columns: int, rates: tuple[int, ...], every: int) -> Case:
    def network() -> keras.Model:
        component = ASPP(filters=256, rates=rates, epsilon=1e-5)
        return fill(bottleneck(component, rows, columns, 8), in_their_order())

    what = f"rates {', '.join(map(str, rates))} on {rows}×{columns}"
    return Case("aspp", what, SOURCE, "aspp", f"{rows}x{columns}", network, every=(every, every, 8))


def in_their_order() -> Iterator[tuple[str, Fill]]:
    for branch in ("point", "atrous1", "atrous2", "atrous3", "pooled", "out"):
        yield f"aspp_{branch}_conv", without_bias
        yield f"aspp_{branch}_norm", from_torch


CASES = [case(24, 40, (6, 12, 18), 3), case(4, 8, (1, 2, 3), 1)]
