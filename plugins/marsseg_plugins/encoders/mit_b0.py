"""The encoder Mix Transformer of SegFormer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from marsseg_core.plugin_api import Encoder, EncoderSpec, param
from marsseg_plugins.widths import FEWEST_NORMALISED, scaled

from ..limits import MOST_BLOCKS, MOST_WIDTH
from .scaling import IMAGENET_DEVIATION, IMAGENET_MEAN, scaled_images

# For each stage: kernel size and stride of its patches, heads, factor by which keys and values are reduced.
STAGES: Final = ((7, 4, 1, 8), (3, 2, 2, 4), (3, 2, 5, 2), (3, 2, 8, 1))


@dataclass(frozen=True)
class MixTransformer(Encoder):
    """Mix Transformer B0, the encoder of SegFormer: four stages of transformer blocks, without positions.

    Structure: each stage begins with overlapping patches, a convolution with stride and layer normalisation. The stride
    is 4, with a 7×7 kernel, then three times 2, with a 3×3 kernel. Blocks follow: x + attention(norm(x)), then
    x + perceptron(norm(x)), and a last norm. For the attention, a convolution whose stride is its kernel size, 8, 4, 2
    and 1 in the four stages, reduces the map of keys and values. The perceptron has four times the channels of the map,
    a 3×3 depthwise convolution, which tells tokens their position, and GELU. `drop_path` drops whole branches of a
    block in training, more in later blocks.

    The maps have 32, 64, 160 and 256 channels at the strides 4, 8, 16 and 32: 1, 2, 5 and 8 heads of 32 channels. A
    stage whose stride the output stride does not allow has patches of stride 1 and dilated depthwise convolutions.
    Images are scaled with the mean and the deviation of ImageNet's colours; for another number of channels than three,
    with the average of these.

    `width=2` is Mix Transformer B1. Published: 3,319,392 trainable parameters (B0) and 13,151,424 (B1), without a
    classifier, for images of three channels. There are no published weights here: those of the authors are not free.

    Paper: Xie and others, "SegFormer: Simple and Efficient Design for Semantic Segmentation with Transformers",
    arXiv 2105.15203.
    """

    width: float = param(1.0, help="factor for the channels of each head", above=0, maximum=MOST_WIDTH)
    depths: tuple[int, ...] = param(
        (2, 2, 2, 2), help="number of blocks of each of the four stages", minimum=1, maximum=MOST_BLOCKS, min_length=4
    )
    drop_path: float = param(
        0.1, help="share of the branches that is dropped in the last block", minimum=0, maximum=0.95
    )

    def __post_init__(self) -> None:
        if len(self.depths) != len(STAGES):
            raise ValueError(f"depths must have one number for each of the {len(STAGES)} stages")

    def build(self, images: Any, spec: EncoderSpec) -> dict[int, Any]:
        from .transformer_blocks import mix_block, normalised, patches

        x = scaled_images(images, IMAGENET_MEAN, IMAGENET_DEVIATION, f"{spec.prefix}scale")
        size = scaled(32, self.width, FEWEST_NORMALISED)
        drop = self.drop_path / max(1, sum(self.depths) - 1)
        maps, stride, dilation, before = {}, 1, 1, 0
        for stage, ((kernel, step, heads, reduction), depth) in enumerate(zip(STAGES, self.depths, strict=True), 1):
            strides = step if stride * step <= spec.output_stride else 1
            stride, dilation = stride * strides, dilation * step // strides
            name = f"{spec.prefix}stage{stage}"
            x = patches(x, heads * size, kernel, strides, f"{name}_patches")
            for block in range(1, depth + 1):
                x = mix_block(x, heads, reduction, dilation, drop * before, f"{name}_block{block}")
                before += 1
            x = maps[stride] = normalised(x, f"{name}_norm")
        return maps
