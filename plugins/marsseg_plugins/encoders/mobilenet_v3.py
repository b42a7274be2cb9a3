"""The encoder MobileNetV3."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from marsseg_core.plugin_api import param

from .applications import Application, ApplicationEncoder


@dataclass(frozen=True)
class MobileNetV3(ApplicationEncoder):
    """MobileNetV3: inverted residual blocks found by a search for the processors of mobile devices.

    Structure: a 3×3 convolution of stride 2 to 16 filters, 15 inverted residual blocks (11 in the small network), some
    with squeeze-and-excitation and with hard swish in place of ReLU, and a 1×1 convolution. The maps have 16, 24, 40,
    112 and 960 filters at the strides 2, 4, 8, 16 and 32; those of the small network 16, 16, 24, 48 and 576. Images are
    scaled to values from -1 to 1.

    Published: 5,507,432 weights with the classifier, 2,996,352 without; the small network has 2,554,968 and 939,120.

    Weights: `imagenet` are those that Keras downloads once, into its cache, learnt from 1.3 million photographs of
    1,000 classes. The published momentum of moving statistics is 0.999.

    Source: Howard and others, "Searching for MobileNetV3", arXiv 1905.02244; `MobileNetV3Large` and `MobileNetV3Small`
    of keras.io/api/applications.
    """

    size: Literal["large", "small"] = param("large", help="the large or the small network")
    momentum: float = param(0.9, help="momentum of the moving statistics of batch normalisation", minimum=0, maximum=1)

    @property
    def application(self) -> Application:
        adds = {2: "add", 4: "2_add", 8: "5_add", 16: "11_add"}
        levels = {stride: f"expanded_conv_{name}" for stride, name in adds.items()}
        if self.size == "small":
            levels = {2: "activation_1", 4: "expanded_conv_project_bn"}
            levels |= {8: "expanded_conv_2_add", 16: "expanded_conv_7_add"}
        return Application(
            function=f"MobileNetV3{self.size.title()}",
            file=f"weights_mobilenet_v3_{self.size}_224_1.0_float_no_top_v2.h5",
            levels=levels,
            mean=(0.5, 0.5, 0.5),
            deviation=(0.5, 0.5, 0.5),
        )
