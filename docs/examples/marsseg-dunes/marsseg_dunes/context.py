"""The bottleneck `context`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from marsseg_core.plugin_api import Bottleneck, BottleneckSpec, param


@dataclass(frozen=True)
class Context(Bottleneck):
    """Global context: add a summary of the whole feature map to each of its pixels.

    Structure: the mean of all pixels, weighted by the softmax of a learned score; then two 1×1 convolutions, with layer
    normalisation and ReLU between them. The first has `ratio` times the channels of the map. The result is added to the
    map.

    Cao and others, GCNet, arXiv 1904.11492.
    """

    # marsseg imports these modules before it loads a saved network: Keras needs them to find the custom layer.
    layer_modules = ("marsseg_dunes.layers",)

    ratio: float = param(0.25, help="channels between the two convolutions, as a multiple of those of the map", above=0)

    def build(self, features: Any, spec: BottleneckSpec) -> Any:
        from keras import layers

        from .layers import AttentionPool

        prefix = f"{spec.prefix}context"
        channels = features.shape[-1]
        x = AttentionPool(name=f"{prefix}_pool")(features)
        x = layers.Conv2D(max(1, round(self.ratio * channels)), 1, name=f"{prefix}_in")(x)
        x = layers.LayerNormalization(name=f"{prefix}_norm")(x)
        x = layers.ReLU(name=f"{prefix}_relu")(x)
        x = layers.Conv2D(channels, 1, name=f"{prefix}_out")(x)
        return layers.Add(name=f"{prefix}_add")([features, x])
