"""The report's Parallel U-Net."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from marsseg_core.components import Architecture, NetworkSpec
from marsseg_core.parameters import param

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class ParallelUNet(Architecture):
    """Parallel U-Net: a shallow U-Net for detail and a deep one for context, side by side on the same image.

    Wiring: two U-Nets, each of encoder blocks with 2×2 max-pooling, a bottom block of twice the last level's filters
    and a decoder with a skip at each level; their last maps are concatenated before the head. The bottlenecks sit at
    the bottom of the context one.

    The report (Table 1): validation mean IoU 62.65, on Kaggle 61.13.
    """

    width: float = param(1.0, help="multiplier of all filters", above=0)
    fine_filters: tuple[int, ...] = param((32, 64), help="filters of the fine encoder, finest first", minimum=1)
    context_filters: tuple[int, ...] = param(
        (32, 64, 128, 256), help="filters of the context encoder, finest first", minimum=1
    )
    convolutions: int = param(2, help="3×3 convolutions in each block", minimum=1)
    upsampling: Literal["nearest", "bilinear", "transposed"] = param(
        "nearest", help="how the decoders double their size"
    )
    normalisation: Literal["batch", "group", "none"] = param("batch", help="what follows each convolution")
    momentum: float = param(0.9, help="of the batch normalisation's moving statistics", minimum=0, maximum=1)
    dropout: float = param(0.0, help="share of features dropped after each block", minimum=0, maximum=0.95)

    def build(self, spec: NetworkSpec) -> keras.Model:
        from functools import partial

        import keras
        from keras import layers

        from .blocks import conv_block, decode, encode, images_input, level_filters, logits_head

        fine = level_filters(self.fine_filters, self.width)
        context = level_filters(self.context_filters, self.width)
        multiple = 2 ** max(len(fine), len(context))
        block = partial(
            conv_block,
            convolutions=self.convolutions,
            normalisation=self.normalisation,
            momentum=self.momentum,
            dropout=self.dropout,
        )
        inputs, images = images_input(spec, multiple)
        outputs = []
        for prefix, filters in (("fine.", fine), ("context.", context)):
            maps, x = encode(images, filters, block, prefix=prefix)
            x = block(x, 2 * filters[-1], name=f"{prefix}bottom")
            if prefix == "context.":
                x = spec.bottleneck(x)
            skips = [[own] for own in maps]
            outputs.append(decode(x, skips, filters, block, upsampling=self.upsampling, prefix=prefix))
        x = layers.Concatenate(name="merge")(outputs)
        return keras.Model(inputs, logits_head(x, spec, multiple), name="parallel")
