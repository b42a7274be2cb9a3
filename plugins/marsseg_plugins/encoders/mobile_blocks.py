"""Blocks of networks for mobile devices: inverted residuals with ReLU6."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from keras import layers

# That of the published networks.
_EPSILON: Final = 1e-3


@dataclass(frozen=True)
class MobileBlocks:
    """Build the blocks, with batch normalisation of this momentum."""

    momentum: float

    def convolution(self, x: Any, filters: int, kernel: int, name: str, *, strides: int = 1, relu: bool = False) -> Any:
        """Apply a convolution without bias, batch normalisation and, if `relu`, ReLU6."""
        convolution = layers.Conv2D(
            filters,
            kernel,
            strides,
            padding="same",
            use_bias=False,
            kernel_initializer="he_normal",
            name=f"{name}_conv",
        )
        return self._normalised(convolution(x), name, relu)

    def inverted_residual(
        self, x: Any, filters: int, kernel: int, expansion: int, name: str, *, strides: int = 1, dilation: int = 1
    ) -> Any:
        """Expand the channels, convolve each alone, and reduce them to `filters`; add the input where its shape fits.

        Source: Sandler and others, "MobileNetV2: Inverted Residuals and Linear Bottlenecks", arXiv 1801.04381.
        """
        block_input = x
        if expansion > 1:
            x = self.convolution(x, expansion * x.shape[-1], 1, f"{name}_expand", relu=True)
        depthwise = layers.DepthwiseConv2D(
            kernel,
            strides,
            padding="same",
            dilation_rate=dilation,
            use_bias=False,
            depthwise_initializer="he_normal",
            name=f"{name}_depthwise_conv",
        )
        x = self._normalised(depthwise(x), f"{name}_depthwise", relu=True)
        x = self.convolution(x, filters, 1, f"{name}_project")
        if strides == 1 and block_input.shape[-1] == filters:
            x = layers.Add(name=f"{name}_add")([block_input, x])
        return x

    def _normalised(self, x: Any, name: str, relu: bool) -> Any:
        x = layers.BatchNormalization(momentum=self.momentum, epsilon=_EPSILON, name=f"{name}_norm")(x)
        return layers.ReLU(6.0, name=f"{name}_relu")(x) if relu else x
