"""The ASPP bottleneck (atrous spatial pyramid pooling)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from marsseg_core.plugin_api import Bottleneck, BottleneckSpec, param
from marsseg_plugins.widths import scaled

from ..limits import MOST_CHANNELS, MOST_PIXELS, MOST_WIDTH


@dataclass(frozen=True)
class ASPP(Bottleneck):
    """ASPP: parallel convolutions with several dilation rates, and pooling of the whole map.

    Structure: a 1×1 convolution, a 3×3 convolution for each rate, and a 1×1 convolution on the global average, each
    with normalisation and ReLU. The results are concatenated, and a last 1×1 convolution follows.

    `rates=auto` takes a quarter, a half and three quarters of the shorter side of the map (1, 2, 3 on 4×8). On maps of
    this size, the published rates 6, 12, 18 would read almost nothing but padding.

    The report has `filters=512 rates=6,12 normalisation=none out=classes activation=softmax`, so the decoder gets as
    many channels as there are classes.

    With `filters=256 epsilon=1e-5` and the published rates, the outputs for equal weights are equal to those of the
    PyTorch port github.com/VainF/DeepLabV3Plus-Pytorch; the authors' own code is in TensorFlow. In the port,
    convolutions have no bias (normalisation cancels it), and dropout of 0.1 follows the last convolution.

    Paper: Chen and others, "Rethinking Atrous Convolution for Semantic Image Segmentation", arXiv 1706.05587.
    """

    width: float = param(1.0, help="factor for filters and out", above=0, maximum=MOST_WIDTH)
    filters: int | Literal["auto"] = param(
        "auto", help="channels of each branch; auto: those of the map", minimum=1, maximum=MOST_CHANNELS
    )
    rates: tuple[int, ...] | Literal["auto"] = param(
        "auto",
        help="dilation rate of each 3×3 branch; auto: from the size of the map",
        minimum=1,
        maximum=MOST_PIXELS,
        min_length=1,
    )
    pooling: bool = param(True, help="add a branch with the average of the whole map")
    normalisation: Literal["batch", "none"] = param("batch", help="normalisation after each convolution")
    momentum: float = param(0.9, help="momentum of the moving statistics of batch normalisation", minimum=0, maximum=1)
    epsilon: float = param(1e-3, help="number that batch normalisation adds to the variance", above=0)
    out: int | Literal["auto", "classes"] = param(
        "auto",
        help="output channels; auto: as filters; classes: the number of classes",
        minimum=1,
        maximum=MOST_CHANNELS,
    )
    activation: Literal["relu", "softmax", "linear"] = param("relu", help="activation of the output")

    def without_effect(self) -> dict[str, str]:
        return {} if self.normalisation == "batch" else dict.fromkeys(("momentum", "epsilon"), "normalisation")

    def build(self, features: Any, spec: BottleneckSpec) -> Any:
        from keras import layers

        prefix = spec.prefix + "aspp"
        _, rows, columns, channels = features.shape
        filters = scaled(channels if self.filters == "auto" else self.filters, self.width)

        def branch(x: Any, name: str, rate: int = 1, kernel: int = 1, count: int = filters, act: str = "relu") -> Any:
            name = f"{prefix}_{name}"
            x = layers.Conv2D(count, kernel, dilation_rate=rate, padding="same", name=f"{name}_conv")(x)
            if self.normalisation == "batch":
                x = layers.BatchNormalization(momentum=self.momentum, epsilon=self.epsilon, name=f"{name}_norm")(x)
            return layers.Activation(act, name=f"{name}_{act}")(x)

        rates = automatic_rates(rows, columns) if self.rates == "auto" else self.rates
        branches = [branch(features, "point")]
        branches += [branch(features, f"atrous{i}", rate=rate, kernel=3) for i, rate in enumerate(rates, start=1)]
        if self.pooling:
            average = layers.GlobalAveragePooling2D(keepdims=True, name=f"{prefix}_average")(features)
            # From a 1×1 map, nearest and bilinear upsampling give the same: a constant map.
            spread = layers.UpSampling2D((rows, columns), name=f"{prefix}_spread")
            branches.append(spread(branch(average, "pooled")))
        merged = layers.Concatenate(name=f"{prefix}_merge")(branches)
        if self.out == "auto":
            out = filters
        else:
            out = spec.num_classes if self.out == "classes" else scaled(self.out, self.width)
        return branch(merged, "out", count=out, act=self.activation)


def automatic_rates(rows: int, columns: int) -> tuple[int, ...]:
    """Return up to three different dilation rates for a map: fractions of its shorter side, at least 1."""
    side = min(rows, columns)
    return tuple(sorted({max(1, side * quarters // 4) for quarters in (1, 2, 3)}))
