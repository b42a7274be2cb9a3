"""The encoder EfficientNetV2-B0."""

from __future__ import annotations

from dataclasses import dataclass

from marsseg_core.plugin_api import param

from .applications import Application, ApplicationEncoder
from .scaling import IMAGENET_DEVIATION, IMAGENET_MEAN


@dataclass(frozen=True)
class EfficientNetV2B0(ApplicationEncoder):
    """EfficientNetV2-B0: fused and depthwise inverted residual blocks with squeeze-and-excitation.

    Structure: a 3×3 convolution of stride 2 to 32 filters, three stages of blocks whose expansion is a 3×3 convolution,
    three of inverted residual blocks with depthwise convolutions and squeeze-and-excitation, and a 1×1 convolution, all
    with batch normalisation and SiLU. In training, a block is left out for an image with a probability that grows to
    19 % at the last block. The maps have 16, 32, 48, 112 and 1,280 filters at the strides 2, 4, 8, 16 and 32. Images
    are scaled by the means and standard deviations of ImageNet.

    Published: 7,200,312 weights with the classifier, 5,919,312 without.

    Weights: `imagenet` are those that Keras downloads once, into its cache, learnt from 1.3 million photographs of
    1,000 classes.

    Source: Tan, Le, "EfficientNetV2: Smaller Models and Faster Training", arXiv 2104.00298; `EfficientNetV2B0` of
    keras.io/api/applications.
    """

    momentum: float = param(0.9, help="momentum of the moving statistics of batch normalisation", minimum=0, maximum=1)

    @property
    def application(self) -> Application:
        return Application(
            function="EfficientNetV2B0",
            file="efficientnetv2-b0_notop.h5",
            levels={2: "block1a_project_activation", 4: "block2b_add", 8: "block3b_add", 16: "block5e_add"},
            mean=IMAGENET_MEAN,
            deviation=IMAGENET_DEVIATION,
        )
