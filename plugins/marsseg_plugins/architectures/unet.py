"""The U-Net architecture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from marsseg_core.plugin_api import NetworkSpec, param

from ..limits import MOST_CHANNELS, MOST_LEVELS
from .convolutional import ConvolutionalArchitecture

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class UNet(ConvolutionalArchitecture):
    """U-Net: an encoder and a decoder with a skip at each level (the report's Simple U-Net).

    Structure: each encoder level is a block of 3×3 convolutions, then 2×2 max-pooling. The bottom is one more block
    with twice the filters of the last level. The bottlenecks follow it. Each decoder level is upsampling, concatenation
    with the encoder map of the same size, and a block.

    Published: 32 to 512 filters, transposed convolutions, no normalisation: 7,759,521 trainable parameters (1 channel,
    1 class). This is `filters=32,64,128,256 upsampling=transposed normalisation=none`. With twice as many filters it
    has 31,030,593.

    With these parameters, the outputs for equal weights are equal to those of the Keras code of the authors of U-Net++
    (github.com/MrGiovanni/UNetPlusPlus). Its training differs: dropout of 0.5 follows each convolution (here `dropout`
    follows each block), and 3×3 and 1×1 kernels have an L2 penalty of 1e-4 and the initialisation of He and others
    (arXiv 1502.01852). Here there is no penalty, and the initialisation is Glorot's.

    With an encoder (`--encoder`), its maps take the place of the encoder's levels and of the bottom: the decoder has a
    level for each of its strides and the size of the image, of `filters`, continued by doubling; `depth` and `bottom`
    have no effect.

    Paper: Ronneberger, Fischer, Brox, "U-Net: Convolutional Networks for Biomedical Image Segmentation",
    arXiv 1505.04597.
    """

    takes_encoder = True
    of_own_encoder = ("depth", "bottom")

    filters: tuple[int, ...] = param(
        (32, 64, 128, 256),
        help="filters of each encoder level, finest first",
        minimum=1,
        maximum=MOST_CHANNELS,
        min_length=1,
    )
    depth: int | None = param(
        None, help="number of encoder levels: cuts filters, or continues it by doubling", minimum=1, maximum=MOST_LEVELS
    )
    bottom: bool = param(True, help="add a block of convolutions below the last level")
    upsampling: Literal["nearest", "bilinear", "transposed"] = param(
        "nearest", help="how the decoder doubles the size of maps"
    )

    def build(self, spec: NetworkSpec) -> keras.Model:
        import keras

        from .blocks import decode, encode, images_input, level_filters, logits_head
        from .encoders import ENCODER_MULTIPLE, encoder_levels

        block = self.block()
        if spec.encoder is None:
            filters = level_filters(self.filters, self.width, self.depth)
            multiple = 2 ** len(filters)
            inputs, x = images_input(spec, multiple)
            maps, x = encode(x, filters, block)
            if self.bottom:
                x = block(x, 2 * filters[-1], name="bottom")
        else:
            multiple = ENCODER_MULTIPLE
            inputs, x = images_input(spec, multiple)
            maps, x = encoder_levels(spec, x)
            filters = level_filters(self.filters, self.width, len(maps))
        x = spec.bottleneck(x)
        skips = [[] if features is None else [features] for features in maps]
        x = decode(x, skips, filters, block, upsampling=self.upsampling)
        return keras.Model(inputs, logits_head(x, spec, multiple), name="unet")
