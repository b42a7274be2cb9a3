"""Parts that several architectures share: convolution blocks, resampling, padding and the head."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

import keras
from keras import layers

from marsseg_core.plugin_api import NetworkSpec
from marsseg_plugins.widths import scaled

Normalisation = Literal["batch", "group", "none"]
Upsampling = Literal["nearest", "bilinear", "transposed"]
Normaliser = Callable[[Any, str], Any]  # (features, name) → features


def level_filters(filters: Sequence[int], width: float, depth: int | None = None) -> list[int]:
    """Return the filters of each level, finest first: `filters` times `width`.

    With a `depth`, the list is cut to that length, or continued by doubling the last number.
    """
    levels = list(filters[:depth])
    while depth is not None and len(levels) < depth:
        levels.append(2 * levels[-1])
    return [scaled(level, width) for level in levels]


def normalise(
    x: Any, name: str, *, normalisation: Normalisation = "batch", momentum: float = 0.9, epsilon: float = 1e-3
) -> Any:
    """Apply batch normalisation, group normalisation or none; `epsilon` is added to the variance."""
    if normalisation == "batch":
        return layers.BatchNormalization(momentum=momentum, epsilon=epsilon, name=f"{name}_norm")(x)
    if normalisation == "group":
        # 32 groups as published, or the largest smaller power of 2 that divides the channels.
        groups = next(g for g in (32, 16, 8, 4, 2, 1) if x.shape[-1] % g == 0)
        return layers.GroupNormalization(groups, epsilon=epsilon, name=f"{name}_norm")(x)
    return x


def conv_block(
    x: Any,
    filters: int,
    *,
    name: str,
    convolutions: int = 2,
    norm: Normaliser = normalise,
    dropout: float = 0.0,
    residual: bool = False,
    layer: type[layers.Layer] = layers.Conv2D,
) -> Any:
    """Apply `convolutions` times (3×3 convolution with bias → `norm` → ReLU), then dropout.

    `layer` is the class of the 3×3 convolutions: `Conv2D` or `SeparableConv2D`.
    With `residual`, the input of the block passes a 1×1 convolution and `norm`, and is added before the last ReLU.
    """
    block_input = x
    for i in range(1, convolutions + 1):
        x = layer(filters, 3, padding="same", name=f"{name}_conv{i}")(x)
        x = norm(x, f"{name}_conv{i}")
        if residual and i == convolutions:
            shortcut = layers.Conv2D(filters, 1, name=f"{name}_shortcut")(block_input)
            x = layers.Add(name=f"{name}_add")([x, norm(shortcut, f"{name}_shortcut")])
        x = layers.ReLU(name=f"{name}_relu{i}")(x)
    if dropout:
        x = layers.Dropout(dropout, name=f"{name}_dropout")(x)
    return x


def pool(x: Any, factor: int, name: str) -> Any:
    """Apply max-pooling by `factor` in both directions; a factor of 1 returns the map itself."""
    return x if factor == 1 else layers.MaxPooling2D(factor, name=name)(x)


def subsample(x: Any, stride: int, name: str) -> Any:
    """Take every `stride`-th row and column; a stride of 1 returns the map itself.

    A 1×1 convolution of the same stride reads just these cells. Shortcuts use this function and a convolution without
    stride, because the gradient of a 1×1 convolution with a stride and few channels corrupts memory in TensorFlow 2.21
    on a CPU with oneDNN (from 3 × 64 × 128 × 8 to 16 channels, it ends the process).
    """
    return x if stride == 1 else layers.MaxPooling2D(1, stride, name=name)(x)


def upsample(x: Any, factor: int, name: str, *, mode: Upsampling = "nearest", filters: int | None = None) -> Any:
    """Upsample by `factor` in both directions; a factor of 1 returns the map itself.

    The mode "transposed" is a transposed convolution to `filters` channels, with `factor` as its stride and kernel
    size. The other modes do not change the number of channels.
    """
    if factor == 1:
        return x
    if mode == "transposed":
        return layers.Conv2DTranspose(filters, factor, strides=factor, name=name)(x)
    if mode == "bilinear":
        # In float32: bilinear resizing in half precision fails under XLA (keras-team/keras#20931).
        return layers.UpSampling2D(factor, interpolation="bilinear", dtype="float32", name=name)(x)
    return layers.UpSampling2D(factor, name=name)(x)


def encode(x: Any, filters: Sequence[int], block: Callable[..., Any], *, prefix: str = "") -> tuple[list[Any], Any]:
    """Build an encoder: for each level `block(x, filters, name=…)`, then 2×2 max-pooling.

    Returns the map of each block, finest first, and the pooled map of the last one.
    """
    maps = []
    for level, count in enumerate(filters, start=1):
        maps.append(block(x, count, name=f"{prefix}encoder{level}"))
        x = pool(maps[-1], 2, f"{prefix}pool{level}")
    return maps, x


def decode(
    x: Any,
    skips: Sequence[Sequence[Any]],
    filters: Sequence[int],
    block: Callable[..., Any],
    *,
    upsampling: Upsampling = "nearest",
    prefix: str = "",
) -> Any:
    """Build a decoder: for each level, upsampling, concatenation with its `skips`, then `block(x, filters, name=…)`.

    `skips` and `filters` have one item for each level, finest first; a level may have no skip. The coarsest level is
    built first.
    """
    for level in range(len(filters), 0, -1):
        count = filters[level - 1]
        x = upsample(x, 2, f"{prefix}up{level}", mode=upsampling, filters=count)
        if skips[level - 1]:
            x = layers.Concatenate(name=f"{prefix}merge{level}")([x, *skips[level - 1]])
        x = block(x, count, name=f"{prefix}decoder{level}")
    return x


def images_input(spec: NetworkSpec, multiple: int) -> tuple[Any, Any]:
    """Return the input of the network, and the input padded with zeros to sides that are multiples of `multiple`."""
    inputs = keras.Input((spec.height, spec.width, spec.channels), name="images")
    (top, bottom), (left, right) = _margins(spec, multiple)
    if not (top or bottom or left or right):
        return inputs, inputs
    return inputs, layers.ZeroPadding2D(((top, bottom), (left, right)), name="pad")(inputs)


def logits_head(
    x: Any, spec: NetworkSpec, multiple: int, kernel: int = 1, *, name: str = "logits", factor: int = 1
) -> Any:
    """Compute float32 logits of the size of the images from features; this cuts off the padding of `images_input`.

    If the features are `factor` times smaller than the padded input, the logits are upsampled bilinearly.
    """
    # In float32, also under mixed precision: logits are compared and exponentiated.
    x = layers.Conv2D(spec.num_classes, kernel, padding="same", dtype="float32", name=name)(x)
    x = upsample(x, factor, f"{name}_up", mode="bilinear")
    (top, bottom), (left, right) = _margins(spec, multiple)
    if not (top or bottom or left or right):
        return x
    return layers.Cropping2D(((top, bottom), (left, right)), dtype="float32", name=f"{name}_crop")(x)


def _margins(spec: NetworkSpec, multiple: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return the padding (top, bottom), (left, right) to the next multiple of `multiple`."""
    missing_rows, missing_columns = -spec.height % multiple, -spec.width % multiple
    return (
        (missing_rows // 2, missing_rows - missing_rows // 2),
        (missing_columns // 2, missing_columns - missing_columns // 2),
    )
