"""Define the interface of encoders."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from ...registry import kinds
from ..specs import EncoderSpec
from .component import Component

if TYPE_CHECKING:
    import numpy as np


class Encoder(Component):
    """Turn images into feature maps of several sizes."""

    kind = kinds.ENCODER

    published_weights: ClassVar[tuple[str, ...]] = ()
    """The names of the weights that `published` returns, such as "imagenet"."""

    def published(self, name: str) -> Mapping[str, np.ndarray]:
        """Return published weights, for images of three channels.

        This may download a file, or read one that an installed distribution brings.

        Args:
            name: One of `published_weights`.

        Returns:
            The value of each variable by the name of its layer without `spec.prefix`, a slash and the name of the
                variable, as in "stem_conv/kernel". It includes moving statistics.

        Raises:
            RequestError: The weights cannot be had; the error says how to bring them.
        """
        raise NotImplementedError(f"{type(self).__name__} sets published_weights, but has no method `published`")

    @abstractmethod
    def build(self, images: Any, spec: EncoderSpec) -> dict[int, Any]:
        """Apply the layers of the encoder to images.

        The encoder scales the images itself, as its weights need them.

        Args:
            images: A Keras tensor (B, H, W, C) float32 in [0, 1]. H and W are multiples of 32, C is any number.
            spec: The stride of the last map, and the prefix that the names of all layers must begin with.

        Returns:
            Keras tensors (B, H / stride, W / stride, c) by their strides, finest first. The strides are powers of 2 up
                to `spec.output_stride`; the finest is 1, 2 or 4.
        """
