"""An encoder that decoders are compared on: each map is the average over its cells and a 1×1 convolution."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from keras import layers

from marsseg_core.components.interfaces import Encoder
from marsseg_core.components.specs import EncoderSpec


class Pooled(Encoder):
    """Make maps with these numbers of channels, by their strides."""

    def __init__(self, channels: Mapping[int, int]) -> None:
        self.channels = channels

    def build(self, images: Any, spec: EncoderSpec) -> dict[int, Any]:
        return {
            stride: layers.Conv2D(count, 1, name=f"encoder_conv{stride}")(layers.AveragePooling2D(stride)(images))
            for stride, count in self.channels.items()
        }

    def in_their_order(self) -> Iterator[str]:
        """Yield the names of the layers with weights."""
        yield from (f"encoder_conv{stride}" for stride in self.channels)
