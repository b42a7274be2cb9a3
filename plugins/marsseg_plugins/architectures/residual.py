"""Residual blocks and squeeze-and-excitation, which several architectures use."""

from __future__ import annotations

from typing import Any, Literal

from keras import layers

from .blocks import Normaliser, normalise, subsample

Padding = Literal["same", "symmetric"]


def squeeze_excite(x: Any, *, name: str, ratio: int = 8) -> Any:
    """Multiply each channel by a gate from 0 to 1, computed from the averages of all channels (arXiv 1709.01507).

    The dense layers have no biases. There is one hidden unit for every `ratio` channels, and at least two, as in the
    narrowest published layer. With a single unit, the ReLU is 0 for nearly all images in half of the initialisations,
    and then no gate learns.
    """
    channels = x.shape[-1]
    gate = layers.GlobalAveragePooling2D(keepdims=True, name=f"{name}_squeeze")(x)
    gate = layers.Dense(max(2, channels // ratio), "relu", use_bias=False, name=f"{name}_reduce")(gate)
    gate = layers.Dense(channels, "sigmoid", use_bias=False, name=f"{name}_excite")(gate)
    return layers.Multiply(name=f"{name}_scale")([x, gate])


def residual_block(
    x: Any,
    filters: int,
    *,
    name: str,
    stride: int = 1,
    stem: bool = False,
    ratio: int | None = None,
    norm: Normaliser = normalise,
    padding: Padding = "same",
) -> Any:
    """Apply 2 × (`norm` → ReLU → 3×3 convolution), and add the input through a 1×1 convolution and `norm`.

    The first convolution and the shortcut have the `stride`. `padding` is for a 3×3 convolution of stride 2: "same"
    adds a row below and a column to the right; "symmetric" adds one on every side, as PyTorch does. With `stem`, the
    input is an image, and the block begins with the convolution. With a `ratio`, squeeze-and-excitation follows the
    sum.
    """
    block_input = x
    for i, step in ((1, stride), (2, 1)):
        if i == 2 or not stem:
            x = norm(x, f"{name}_pre{i}")
            x = layers.ReLU(name=f"{name}_relu{i}")(x)
        edges = "same"
        if step > 1 and padding == "symmetric":
            x, edges = layers.ZeroPadding2D(1, name=f"{name}_pad")(x), "valid"
        x = layers.Conv2D(filters, 3, strides=step, padding=edges, name=f"{name}_conv{i}")(x)
    shortcut = subsample(block_input, stride, f"{name}_subsample")
    shortcut = layers.Conv2D(filters, 1, name=f"{name}_shortcut")(shortcut)
    x = layers.Add(name=f"{name}_add")([x, norm(shortcut, f"{name}_shortcut")])
    return x if ratio is None else squeeze_excite(x, ratio=ratio, name=name)
