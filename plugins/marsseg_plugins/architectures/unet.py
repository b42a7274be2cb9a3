"""U-Net."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Literal

from marsseg_core.components import Architecture, NetworkSpec
from marsseg_core.parameters import param

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class UNet(Architecture):
    """U-Net: an encoder and a decoder with a skip at each level (the report's Simple U-Net).

    Wiring: each encoder level is a block of 3×3 convolutions, then 2×2 max-pooling; the bottom is one more block of
    twice the last level's filters, then the bottlenecks; each decoder level is upsampling, concatenation with the
    encoder level of its size, a block.

    Published: 32 to 512 filters, transposed convolutions, no normalisation: 7,759,521 trainable parameters (1 → 1);
    that is `filters=32,64,128,256`, `upsampling=transposed`, `normalisation=none`, and 31,030,593 with twice as many.

    Paper: Ronneberger, Fischer, Brox, "U-Net: Convolutional Networks for Biomedical Image Segmentation",
    arXiv 1505.04597.
    """

    width: float = param(1.0, help="multiplier of all filters", above=0)
    filters: tuple[int, ...] = param((32, 64, 128, 256), help="filters of each encoder level, finest first", minimum=1)
    depth: int | None = param(None, help="encoder levels; more than there are filters go on by doubling", minimum=1)
    bottom: bool = param(True, help="a block of convolutions below the last level")
    convolutions: int = param(2, help="3×3 convolutions in each block", minimum=1)
    upsampling: Literal["nearest", "bilinear", "transposed"] = param("nearest", help="how the decoder doubles its size")
    normalisation: Literal["batch", "group", "none"] = param("batch", help="what follows each convolution")
    momentum: float = param(0.9, help="of the batch normalisation's moving statistics", minimum=0, maximum=1)
    dropout: float = param(0.0, help="share of features dropped after each block", minimum=0, maximum=0.95)

    def build(self, spec: NetworkSpec) -> keras.Model:
        import keras
        from keras import layers

        from .blocks import conv_block, images_input, level_filters, logits_head, pool, upsample

        filters = level_filters(self.filters, self.width, self.depth)
        multiple = 2 ** len(filters)
        block = partial(
            conv_block,
            convolutions=self.convolutions,
            normalisation=self.normalisation,
            momentum=self.momentum,
            dropout=self.dropout,
        )
        inputs, x = images_input(spec, multiple)
        skips = []
        for level, count in enumerate(filters, start=1):
            skips.append(block(x, count, name=f"encoder{level}"))
            x = pool(skips[-1], 2, f"pool{level}")
        if self.bottom:
            x = block(x, 2 * filters[-1], name="bottom")
        x = spec.bottleneck(x)
        for level in range(len(filters), 0, -1):
            count = filters[level - 1]
            x = upsample(x, 2, f"up{level}", mode=self.upsampling, filters=count)
            x = layers.Concatenate(name=f"merge{level}")([x, skips[level - 1]])
            x = block(x, count, name=f"decoder{level}")
        return keras.Model(inputs, logits_head(x, spec, multiple), name="unet")
