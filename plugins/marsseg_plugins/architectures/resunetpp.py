"""The ResUNet++ architecture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from marsseg_core.plugin_api import Architecture, NetworkSpec, param
from marsseg_plugins.widths import check_levels

from ..limits import MOST_CHANNELS, MOST_LEVELS, MOST_PIXELS, MOST_WIDTH

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class ResUNetPlusPlus(Architecture):
    """ResUNet++: residual units with squeeze-and-excitation, summed ASPP bridges and attention in the decoder.

    Structure:

    - Encoder: a stem, then units of stride 2. A unit is two times (batch norm → ReLU → 3×3 convolution) plus a
      shortcut, then squeeze-and-excitation.
    - Bridge: an ASPP of four 3×3 convolutions with batch norm, whose results are *summed*, then a 1×1 convolution. The
      bottlenecks follow.
    - Each decoder level is attention, upsampling by nearest neighbour, concatenation with the encoder map of the same
      size, and a unit. At the end come a second ASPP, with the filters of the finest level, and the 1×1 head.
    - The attention adds the encoder map (batch norm → ReLU → 3×3 convolution → 2×2 max-pooling) and the decoder map
      (batch norm → ReLU → 3×3 convolution). Batch norm → ReLU → 3×3 convolution of the sum is *multiplied* with the
      decoder map. There is no sigmoid, so the factor is not limited to 0…1.

    Published: 16 to 256 filters, 4,062,993 trainable parameters, 4,070,385 with the moving statistics (3 channels, 1
    class). The report (Table 1) has a mean IoU of 59.59 in validation and 58.95 on Kaggle.

    The outputs for equal weights are equal to those of the authors' Keras code. With `padding=symmetric epsilon=1e-5`
    they are equal to those of the authors' PyTorch code, which pads all sides equally in convolutions of stride 2, and
    adds 1e-5 to variances. The Keras code initialises the layers of squeeze-and-excitation as He and others (arXiv
    1502.01852); here all layers are initialised as by Glorot.

    Paper: Jha and others, "ResUNet++: An Advanced Architecture for Medical Image Segmentation", arXiv 1911.07067;
    github.com/DebeshJha/ResUNetPlusPlus.
    """

    width: float = param(1.0, help="factor for all numbers of filters", above=0, maximum=MOST_WIDTH)
    filters: tuple[int, ...] = param(
        (16, 32, 64, 128, 256),
        help="filters of each level, finest first; the last level is the bridge",
        minimum=1,
        maximum=MOST_CHANNELS,
        min_length=1,
    )
    depth: int | None = param(
        None, help="number of levels: cuts filters, or continues it by doubling", minimum=2, maximum=MOST_LEVELS
    )
    rates: tuple[int, ...] = param(
        (1, 6, 12, 18), help="dilation of each branch of both ASPPs", minimum=1, maximum=MOST_PIXELS, min_length=1
    )
    ratio: int = param(
        8, help="channels for each hidden unit of the squeeze-and-excitation", minimum=1, maximum=MOST_CHANNELS
    )
    momentum: float = param(0.9, help="momentum of the moving statistics of batch normalisation", minimum=0, maximum=1)
    padding: Literal["same", "symmetric"] = param(
        "same", help="padding of convolutions of stride 2: same (as Keras: below and right) or symmetric (all sides)"
    )
    epsilon: float = param(1e-3, help="number that batch normalisation adds to the variance", above=0)

    def __post_init__(self) -> None:
        check_levels(self.filters, self.depth, 2)

    def build(self, spec: NetworkSpec) -> keras.Model:
        from functools import partial

        import keras
        from keras import layers

        from .blocks import images_input, level_filters, logits_head, upsample
        from .residual import residual_block

        *filters, bridge = level_filters(self.filters, self.width, self.depth)
        multiple = 2 ** (len(filters) - 1)
        unit = partial(residual_block, ratio=self.ratio, norm=self._normalise, padding=self.padding)
        inputs, x = images_input(spec, multiple)
        maps = []
        for level, count in enumerate(filters, start=1):
            x = unit(x, count, name=f"encoder{level}", stem=level == 1, stride=1 if level == 1 else 2)
            maps.append(x)
        x = self._summed_aspp(x, bridge, "bridge")
        x = spec.bottleneck(x)
        for level in range(len(filters) - 1, 0, -1):
            skip = maps[level - 1]
            x = self._attention(skip, x, f"attention{level}")
            x = upsample(x, 2, f"up{level}")
            x = layers.Concatenate(name=f"merge{level}")([x, skip])
            x = unit(x, filters[level], name=f"decoder{level}")
        x = self._summed_aspp(x, filters[0], "out")
        return keras.Model(inputs, logits_head(x, spec, multiple), name="resunetpp")

    def _summed_aspp(self, x: Any, filters: int, name: str) -> Any:
        from keras import layers

        branches = []
        for i, rate in enumerate(self.rates, start=1):
            branch = layers.Conv2D(filters, 3, dilation_rate=rate, padding="same", name=f"{name}_atrous{i}")(x)
            branches.append(self._normalise(branch, f"{name}_atrous{i}"))
        x = layers.Add(name=f"{name}_sum")(branches) if len(branches) > 1 else branches[0]
        return layers.Conv2D(filters, 1, name=f"{name}_conv")(x)

    def _attention(self, skip: Any, x: Any, name: str) -> Any:
        from keras import layers

        from .blocks import pool

        channels = x.shape[-1]

        def step(features: Any, part: str) -> Any:
            features = self._normalise(features, f"{name}_{part}")
            features = layers.ReLU(name=f"{name}_{part}_relu")(features)
            return layers.Conv2D(channels, 3, padding="same", name=f"{name}_{part}_conv")(features)

        both = layers.Add(name=f"{name}_add")([pool(step(skip, "skip"), 2, f"{name}_pool"), step(x, "decoder")])
        return layers.Multiply(name=f"{name}_multiply")([step(both, "sum"), x])

    def _normalise(self, x: Any, name: str) -> Any:
        from .blocks import normalise

        return normalise(x, name, momentum=self.momentum, epsilon=self.epsilon)
