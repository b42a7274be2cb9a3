"""The PSP bottleneck (pyramid pooling)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from marsseg_core.plugin_api import Bottleneck, BottleneckSpec, param
from marsseg_plugins.widths import scaled

from ..limits import MOST_CHANNELS, MOST_PIXELS, MOST_WIDTH


@dataclass(frozen=True)
class PSP(Bottleneck):
    """Pyramid pooling: parallel averages over grids of several sizes.

    Structure: for each of `bins`, the averages of the map in bins × bins fields, a 1×1 convolution with normalisation
    and ReLU, and bilinear upsampling with aligned corners to the size of the map. The results are concatenated with the
    map, and a 3×3 convolution with normalisation and ReLU follows. Field i of n covers the rows from floor(i · h / n)
    up to, but not including, ceil((i + 1) · h / n); the same holds for columns. There are at most as many fields as
    rows or columns: on a map of 4×8, 8 bins are 4×8 fields of one cell.

    The outputs for equal weights are equal to the published ones, apart from these differences: the published bins are
    1, 2, 3, 6, batch normalisation adds 1e-5 to the variance (`epsilon=1e-5`), convolutions have no bias (normalisation
    cancels it), and dropout of 0.1 follows the 3×3 convolution.

    With attention gates it is known to have reached 71.78 on the course data.

    Paper: Zhao and others, "Pyramid Scene Parsing Network", arXiv 1612.01105; github.com/hszhao/semseg.
    """

    width: float = param(1.0, help="factor for filters and out", above=0, maximum=MOST_WIDTH)
    bins: tuple[int, ...] = param(
        (1, 2, 4, 8),
        help="number of fields in each direction, for each branch",
        minimum=1,
        maximum=MOST_PIXELS,
        min_length=1,
    )
    filters: int | Literal["auto"] = param(
        "auto",
        help="channels of each branch; auto: those of the map, divided by the branches",
        minimum=1,
        maximum=MOST_CHANNELS,
    )
    out: int | Literal["auto"] = param(
        "auto", help="output channels; auto: those of the map", minimum=1, maximum=MOST_CHANNELS
    )
    normalisation: Literal["batch", "none"] = param("batch", help="normalisation after each convolution")
    momentum: float = param(0.9, help="momentum of the moving statistics of batch normalisation", minimum=0, maximum=1)
    epsilon: float = param(1e-3, help="number that batch normalisation adds to the variance", above=0)

    layer_modules: ClassVar[tuple[str, ...]] = ("marsseg_plugins.resampling",)

    def without_effect(self) -> dict[str, str]:
        return {} if self.normalisation == "batch" else dict.fromkeys(("momentum", "epsilon"), "normalisation")

    def build(self, features: Any, spec: BottleneckSpec) -> Any:
        from keras import layers

        from marsseg_plugins.resampling import AdaptiveAveragePooling, AlignedResizing

        prefix = spec.prefix + "psp"
        _, rows, columns, channels = features.shape
        filters = channels / len(self.bins) if self.filters == "auto" else self.filters
        out = channels if self.out == "auto" else self.out

        def convolve(x: Any, count: float, kernel: int, name: str) -> Any:
            x = layers.Conv2D(scaled(count, self.width), kernel, padding="same", name=f"{name}_conv")(x)
            if self.normalisation == "batch":
                x = layers.BatchNormalization(momentum=self.momentum, epsilon=self.epsilon, name=f"{name}_norm")(x)
            return layers.ReLU(name=f"{name}_relu")(x)

        maps = [features]
        for i, bins in enumerate(self.bins, start=1):
            name = f"{prefix}_branch{i}"
            pool = AdaptiveAveragePooling(min(bins, rows), min(bins, columns), name=f"{name}_pool")
            x = convolve(pool(features), filters, 1, name)
            maps.append(AlignedResizing(rows, columns, name=f"{name}_up")(x))
        merged = layers.Concatenate(name=f"{prefix}_merge")(maps)
        return convolve(merged, out, 3, f"{prefix}_out")
