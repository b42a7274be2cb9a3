"""The ResUNet architecture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from marsseg_core.plugin_api import Architecture, NetworkSpec, param
from marsseg_plugins.widths import check_levels

from ..limits import MOST_CHANNELS, MOST_LEVELS, MOST_WIDTH

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class ResUNet(Architecture):
    """ResUNet: a U-Net of pre-activated residual units, with strided convolutions instead of pooling.

    Structure: a unit is two times (batch norm → ReLU → 3×3 convolution), plus its input through a 1×1 convolution and
    batch norm. The first unit starts with the convolution. From the second one on, encoder units halve the size by
    stride 2. The last one is the bridge; the bottlenecks follow it. Each decoder level is upsampling, concatenation
    with the encoder map of the same size, and a unit.

    Published: 64 to 512 filters, three channels, 7.8 million parameters. Here the network has 8,223,809 trainable
    parameters (3 channels, 1 class), because the paper does not count the 1×1 convolutions of the shortcuts.

    No public code of the authors is known. The outputs for equal weights are equal to those of a Keras port,
    github.com/DuFanXin/deep_residual_unet, and so is the initialisation. As there, convolutions of stride 2 pad below
    and to the right. Set `padding=symmetric` for weights from PyTorch, which pads all sides equally.

    Paper: Zhang, Liu, Wang, "Road Extraction by Deep Residual U-Net", arXiv 1711.10684.
    """

    width: float = param(1.0, help="factor for all numbers of filters", above=0, maximum=MOST_WIDTH)
    filters: tuple[int, ...] = param(
        (64, 128, 256, 512),
        help="filters of each level, finest first; the last level is the bridge",
        minimum=1,
        maximum=MOST_CHANNELS,
        min_length=1,
    )
    depth: int | None = param(
        None, help="number of levels: cuts filters, or continues it by doubling", minimum=2, maximum=MOST_LEVELS
    )
    upsampling: Literal["nearest", "bilinear", "transposed"] = param(
        "nearest", help="how the decoder doubles the size of maps"
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

        from .blocks import decode, images_input, level_filters, logits_head, normalise
        from .residual import residual_block

        *filters, bridge = level_filters(self.filters, self.width, self.depth)
        multiple = 2 ** len(filters)
        norm = partial(normalise, momentum=self.momentum, epsilon=self.epsilon)
        unit = partial(residual_block, norm=norm, padding=self.padding)
        inputs, x = images_input(spec, multiple)
        skips = []
        for level, count in enumerate(filters, start=1):
            x = unit(x, count, name=f"encoder{level}", stem=level == 1, stride=1 if level == 1 else 2)
            skips.append([x])
        x = unit(x, bridge, name="bridge", stride=2)
        x = spec.bottleneck(x)
        x = decode(x, skips, filters, unit, upsampling=self.upsampling)
        return keras.Model(inputs, logits_head(x, spec, multiple), name="resunet")
