"""The encoder ResNet-50."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from marsseg_core.plugin_api import param

from .applications import Application, ApplicationEncoder

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class ResNet50(ApplicationEncoder):
    """ResNet-50: residual blocks of three convolutions; the encoder that most segmentation networks are compared with.

    Structure: a 7×7 convolution of stride 2 to 64 filters and a 3×3 maximum of stride 2, then 3, 4, 6 and 3 residual
    blocks of a 1×1, a 3×3 and a 1×1 convolution, each with batch normalisation. The maps have 64, 256, 512, 1,024 and
    2,048 filters at the strides 2, 4, 8, 16 and 32. The means of ImageNet's channels are subtracted
    from images with values from 0 to 255.

    Published: 25,636,712 weights with the classifier, 23,587,712 without. The published kernels of the first
    convolution are for blue, green and red; here they are for red, green and blue.

    Weights: `imagenet` are those that Keras downloads once, into its cache, learnt from 1.3 million photographs of
    1,000 classes. The published momentum of moving statistics is 0.99.

    Source: He, Zhang, Ren, Sun, "Deep Residual Learning for Image Recognition", arXiv 1512.03385; `ResNet50` of
    keras.io/api/applications.
    """

    momentum: float = param(0.9, help="momentum of the moving statistics of batch normalisation", minimum=0, maximum=1)

    @property
    def application(self) -> Application:
        return Application(
            function="ResNet50",
            file="resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5",
            levels={2: "conv1_relu", 4: "conv2_block3_out", 8: "conv3_block4_out", 16: "conv4_block6_out"},
            mean=(123.68 / 255, 116.779 / 255, 103.939 / 255),
            deviation=(1 / 255, 1 / 255, 1 / 255),
            options={},
        )

    def published(self, name: str) -> Mapping[str, np.ndarray]:
        values = dict(super().published(name))
        values["conv1_conv/kernel"] = values["conv1_conv/kernel"][:, :, ::-1]
        return values
