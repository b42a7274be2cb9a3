"""The FPN architecture: a feature pyramid network with a semantic branch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from marsseg_core.plugin_api import NetworkSpec, param
from marsseg_plugins.widths import scaled

from ..limits import MOST_BLOCKS, MOST_CHANNELS
from .convolutional import ConvolutionalArchitecture

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class FPN(ConvolutionalArchitecture):
    """FPN: a pyramid of summed maps on an encoder; its levels, upsampled to stride 4, are summed to the logits.

    Structure: the bottlenecks are applied to the coarsest map of the encoder (`--encoder`). A 1×1 convolution brings
    each map from stride 4 on to `pyramid` channels, and the coarser level, upsampled by nearest neighbour, is added
    (`smoothing` adds a 3×3 convolution). In the semantic branch, each level passes through a block (3×3 convolution,
    normalisation, ReLU) and bilinear upsampling by 2, repeated until it has the stride 4; the level of stride 4 passes
    one block. The head is on the sum of all levels; its logits are upsampled bilinearly. Level n has the stride 2ⁿ.

    With `smoothing=true epsilon=1e-5`, the outputs for equal weights are equal to those of the authors' code, with the
    normalisation of the default. Their convolutions before a normalisation have no bias, and their initialisation is
    that of He and others (arXiv 1502.01852); here it is Glorot's.

    Papers: Lin and others, "Feature Pyramid Networks for Object Detection", arXiv 1612.03144; the semantic branch:
    Kirillov and others, "Panoptic Feature Pyramid Networks", arXiv 1901.02446; github.com/facebookresearch/detectron2.
    """

    takes_encoder = True
    needs_encoder = True

    pyramid: int = param(256, help="channels of each level of the pyramid", minimum=1, maximum=MOST_CHANNELS)
    filters: int = param(128, help="filters of each block of the semantic branch", minimum=1, maximum=MOST_CHANNELS)
    smoothing: bool = param(False, help="add a 3×3 convolution on each level of the pyramid, as in the paper")
    convolutions: int = param(1, help="number of 3×3 convolutions in each block", minimum=1, maximum=MOST_BLOCKS)
    normalisation: Literal["batch", "group", "none"] = param("group", help="normalisation after each convolution")

    def build(self, spec: NetworkSpec) -> keras.Model:
        import keras
        from keras import layers

        from .blocks import images_input, logits_head, upsample
        from .encoders import ENCODER_MULTIPLE

        pyramid, filters, block = scaled(self.pyramid, self.width), scaled(self.filters, self.width), self.block()
        inputs, x = images_input(spec, ENCODER_MULTIPLE)
        maps = {stride: features for stride, features in spec.encode(x).items() if stride >= 4}
        coarsest = max(maps)
        maps[coarsest] = spec.bottleneck(maps[coarsest])
        levels: list[Any] = []
        for stride in sorted(maps, reverse=True):
            level = stride.bit_length() - 1
            lateral = layers.Conv2D(pyramid, 1, name=f"pyramid{level}_lateral")(maps[stride])
            if stride < coarsest:
                lateral = layers.Add(name=f"pyramid{level}_add")([lateral, upsample(x, 2, f"pyramid{level}_up")])
            x = y = lateral
            if self.smoothing:
                y = layers.Conv2D(pyramid, 3, padding="same", name=f"pyramid{level}_smooth")(y)
            for step in range(1, max(1, level - 2) + 1):
                name = f"semantic{level}.{step}"
                y = block(y, filters, name=name)
                if stride > 4:
                    y = upsample(y, 2, f"{name}_up", mode="bilinear")
            levels.append(y)
        x = layers.Add(name="sum")(levels)
        return keras.Model(inputs, logits_head(x, spec, ENCODER_MULTIPLE, factor=4), name="fpn")
