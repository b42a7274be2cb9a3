"""Scale images as the weights of an encoder need it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

# The means and standard deviations of ImageNet's red, green and blue, for values from 0 to 1.
IMAGENET_MEAN: Final = (0.485, 0.456, 0.406)
IMAGENET_DEVIATION: Final = (0.229, 0.224, 0.225)


def scaled_images(images: Any, mean: Sequence[float], deviation: Sequence[float], name: str) -> Any:
    """Subtract the mean of each channel and divide by its deviation.

    If the images have another number of channels than there are means, all channels have the average mean and
    deviation.
    """
    from keras import layers

    channels = images.shape[-1]
    if channels != len(mean):
        mean, deviation = [[sum(values) / len(values)] * channels for values in (mean, deviation)]
    scale = [1 / each for each in deviation]
    offset = [-middle / each for middle, each in zip(mean, deviation, strict=True)]
    return layers.Rescaling(scale, offset, name=name)(images)
