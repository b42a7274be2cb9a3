"""Blocks of networks for mobile devices: inverted residuals with ReLU6."""

from __future__ import annotations

from typing import Any, Final

from keras import layers

# Those of the published networks.
_MOMENTUM: Final = 0.99
_EPSILON: Final = 1e-3


def normalised(x: Any, name: str) -> Any:
    """Apply batch normalisation."""
    return layers.BatchNormalization(momentum=_MOMENTUM, epsilon=_EPSILON, name=f"{name}_norm")(x)


def activated(x: Any, name: str) -> Any:
    """Apply ReLU6, which cuts off at 0 and at 6."""
    return layers.ReLU(6.0, name=f"{name}_relu")(x)


def convolved(x: Any, filters: int, kernel: int, name: str, strides: int = 1) -> Any:
    """Apply a convolution without bias, and batch normalisation."""
    convolution = layers.Conv2D(
        filters,
        kernel,
        strides,
        padding="same",
        use_bias=False,
        kernel_initializer="he_normal",
        name=f"{name}_conv",
    )
    return normalised(convolution(x), name)


def inverted_residual(
    x: Any, filters: int, kernel: int, expansion: int, name: str, *, strides: int = 1, dilation: int = 1
) -> Any:
    """Expand the channels, convolve each alone, and reduce them to `filters`; add the input where its shape fits.

    Source: Sandler and others, "MobileNetV2: Inverted Residuals and Linear Bottlenecks", arXiv 1801.04381.
    """
    block_input = x
    if expansion > 1:
        x = activated(convolved(x, expansion * x.shape[-1], 1, f"{name}_expand"), f"{name}_expand")
    depthwise = layers.DepthwiseConv2D(
        kernel,
        strides,
        padding="same",
        dilation_rate=dilation,
        use_bias=False,
        depthwise_initializer="he_normal",
        name=f"{name}_depthwise_conv",
    )
    x = activated(normalised(depthwise(x), f"{name}_depthwise"), f"{name}_depthwise")
    x = convolved(x, filters, 1, f"{name}_project")
    if strides == 1 and block_input.shape[-1] == filters:
        x = layers.Add(name=f"{name}_add")([block_input, x])
    return x
