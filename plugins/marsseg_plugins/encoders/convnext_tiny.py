"""The encoder ConvNeXt-T."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from .applications import Application, ApplicationEncoder
from .scaling import IMAGENET_DEVIATION, IMAGENET_MEAN

# The scaling that all channels share.
MEAN: Final = sum(IMAGENET_MEAN) / 3
DEVIATION: Final = sum(IMAGENET_DEVIATION) / 3


@dataclass(frozen=True)
class ConvNeXtTiny(ApplicationEncoder):
    """ConvNeXt-T: blocks of a 7×7 depthwise convolution and two dense layers, with layer normalisation.

    Structure: a 4×4 convolution of stride 4 to 96 filters, then 3, 3, 9 and 3 residual blocks, with a layer
    normalisation and a 2×2 convolution of stride 2 between the stages. A block has a 7×7 depthwise convolution, layer
    normalisation, a dense layer to four times the filters, GELU, and a dense layer back, whose channels are scaled by
    trained numbers. The maps have 96, 192, 384 and 768 filters at the strides 4, 8, 16 and 32. Images are scaled by one
    mean and one standard deviation, the averages of those of ImageNet's channels.

    Published: 28,589,128 weights with the classifier; 27,820,128 without, where Keras normalises the last map. The
    published kernels of the first convolution are for channels that are each scaled by their own mean and deviation.
    Here its kernels and its bias contain the difference. The outputs are the same, since it has no padding.

    Weights: `imagenet` are those that Keras downloads once, into its cache, learnt from 1.3 million photographs of
    1,000 classes.

    Source: Liu and others, "A ConvNet for the 2020s", arXiv 2201.03545; `ConvNeXtTiny` of keras.io/api/applications.
    """

    @property
    def application(self) -> Application:
        return Application(
            function="ConvNeXtTiny",
            file="convnext_tiny_notop.h5",
            levels={4: "add_3", 8: "add_6", 16: "add_15"},
            mean=(MEAN, MEAN, MEAN),
            deviation=(DEVIATION, DEVIATION, DEVIATION),
        )

    def published(self, name: str) -> Mapping[str, np.ndarray]:
        values = dict(super().published(name))
        kernel, bias = values["stem_conv/kernel"], values["stem_conv/bias"]
        deviation = np.array(IMAGENET_DEVIATION, np.float32)
        shift = (np.float32(MEAN) - np.array(IMAGENET_MEAN, np.float32)) / deviation
        values["stem_conv/bias"] = bias + np.einsum("hwcf,c->f", kernel, shift)
        values["stem_conv/kernel"] = kernel * (np.float32(DEVIATION) / deviation)[:, None]
        return values
