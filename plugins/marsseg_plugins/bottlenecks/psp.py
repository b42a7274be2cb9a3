"""Pyramid pooling."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from marsseg_core.components import Bottleneck, BottleneckSpec
from marsseg_core.parameters import param


@dataclass(frozen=True)
class PSP(Bottleneck):
    """Pyramid pooling: averages over grids of several sizes, side by side.

    Wiring: for each of `bins`, the map's averages in bins × bins fields (at most as many as there are rows or columns),
    a 1×1 convolution with normalisation and ReLU, bilinear upsampling to the map's size; concatenated with the map,
    then a 3×3 convolution with normalisation and ReLU. Where the size is no multiple of the bins, fields overlap.

    Known: with attention gates it reached 71.78 on the course's data.

    Paper: Zhao and others, "Pyramid Scene Parsing Network", arXiv 1612.01105.
    """

    width: float = param(1.0, help="multiplier of filters and out", above=0)
    bins: tuple[int, ...] = param((1, 2, 4, 8), help="fields in each direction, for each branch", minimum=1)
    filters: int | Literal["auto"] = param("auto", help="channels of each branch; auto shares out the map's", minimum=1)
    out: int | Literal["auto"] = param("auto", help="channels handed on; auto is the map's", minimum=1)
    normalisation: Literal["batch", "none"] = param("batch", help="what follows each convolution")
    momentum: float = param(0.9, help="of the batch normalisation's moving statistics", minimum=0, maximum=1)

    def build(self, features: Any, spec: BottleneckSpec) -> Any:
        from keras import layers

        prefix = spec.prefix + "psp"
        _, rows, columns, channels = features.shape
        filters = channels / len(self.bins) if self.filters == "auto" else self.filters
        out = channels if self.out == "auto" else self.out

        def convolve(x: Any, count: float, kernel: int, name: str) -> Any:
            count = max(1, round(self.width * count))
            x = layers.Conv2D(count, kernel, padding="same", name=f"{name}_conv")(x)
            if self.normalisation == "batch":
                x = layers.BatchNormalization(momentum=self.momentum, name=f"{name}_norm")(x)
            return layers.ReLU(name=f"{name}_relu")(x)

        maps = [features]
        for i, bins in enumerate(self.bins, start=1):
            name = f"{prefix}_branch{i}"
            (pool_rows, step_rows), (pool_columns, step_columns) = fields(rows, bins), fields(columns, bins)
            pool = layers.AveragePooling2D((pool_rows, pool_columns), (step_rows, step_columns), name=f"{name}_pool")
            x = convolve(pool(features), filters, 1, name)
            # In float32: bilinear resizing in half precision fails under XLA (keras-team/keras#20931).
            resize = layers.Resizing(rows, columns, interpolation="bilinear", dtype="float32", name=f"{name}_up")
            maps.append(resize(x))
        merged = layers.Concatenate(name=f"{prefix}_merge")(maps)
        return convolve(merged, out, 3, f"{prefix}_out")


def fields(length: int, bins: int) -> tuple[int, int]:
    """Length and step of `bins` equal fields, as many as fit, that together cover `length`."""
    bins = min(bins, length)
    step = length // bins
    return length - (bins - 1) * step, step
