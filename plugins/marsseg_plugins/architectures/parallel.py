"""The Parallel U-Net architecture of the report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from marsseg_core.plugin_api import NetworkSpec, param

from ..limits import MOST_CHANNELS
from .convolutional import ConvolutionalArchitecture

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class ParallelUNet(ConvolutionalArchitecture):
    """Parallel U-Net: a shallow U-Net for detail and a deep U-Net for context read the same image.

    Structure: each of the two U-Nets has encoder blocks with 2×2 max-pooling, a bottom block with twice the filters of
    the last level, and a decoder with a skip at each level. Their last maps are concatenated before the head. The
    bottlenecks are at the bottom of the context U-Net.

    The report (Table 1) has a mean IoU of 62.65 in validation and 61.13 on Kaggle.
    """

    fine_filters: tuple[int, ...] = param(
        (32, 64), help="filters of the fine encoder, finest first", minimum=1, maximum=MOST_CHANNELS, min_length=1
    )
    context_filters: tuple[int, ...] = param(
        (32, 64, 128, 256),
        help="filters of the context encoder, finest first",
        minimum=1,
        maximum=MOST_CHANNELS,
        min_length=1,
    )
    upsampling: Literal["nearest", "bilinear", "transposed"] = param(
        "nearest", help="how the decoders double the size of maps"
    )

    def build(self, spec: NetworkSpec) -> keras.Model:
        import keras
        from keras import layers

        from .blocks import decode, encode, images_input, level_filters, logits_head

        fine = level_filters(self.fine_filters, self.width)
        context = level_filters(self.context_filters, self.width)
        multiple = 2 ** max(len(fine), len(context))
        block = self.block()
        inputs, images = images_input(spec, multiple)
        outputs = []
        for prefix, filters in (("fine.", fine), ("context.", context)):
            maps, x = encode(images, filters, block, prefix=prefix)
            x = block(x, 2 * filters[-1], name=f"{prefix}bottom")
            if prefix == "context.":
                x = spec.bottleneck(x)
            skips = [[features] for features in maps]
            outputs.append(decode(x, skips, filters, block, upsampling=self.upsampling, prefix=prefix))
        x = layers.Concatenate(name="merge")(outputs)
        return keras.Model(inputs, logits_head(x, spec, multiple), name="parallel")
