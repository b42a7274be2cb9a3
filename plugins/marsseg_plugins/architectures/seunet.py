"""The architecture of the small squeeze-and-excitation U-Net."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from marsseg_core.plugin_api import Architecture, NetworkSpec, param

from ..limits import MOST_CHANNELS, MOST_LEVELS, MOST_WIDTH

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class SEUNet(Architecture):
    """Squeeze-and-excitation U-Net: a residual U-Net with two levels and half a million parameters.

    Structure: encoder blocks with 2×2 max-pooling, a bottom block with twice the filters of the last level, the
    bottlenecks, then decoder blocks, each after upsampling by nearest neighbour and concatenation with the encoder map
    of the same size. A block is a 3×3 convolution, batch norm and ReLU, followed by a residual unit: a 3×3 convolution,
    batch norm and squeeze-and-excitation, whose result is added to the unit's input before the ReLU. The shortcut has
    no convolution.

    Published: 0.478 million parameters (here 478,405 trainable with 1 channel and 5 classes). It is the best small
    network known for the course data: a score of 73.22 after about five minutes on one GPU.

    Paper of the gates: Hu and others, "Squeeze-and-Excitation Networks", arXiv 1709.01507.
    """

    width: float = param(1.0, help="factor for all numbers of filters", above=0, maximum=MOST_WIDTH)
    filters: tuple[int, ...] = param(
        (32, 64), help="filters of each encoder level, finest first", minimum=1, maximum=MOST_CHANNELS, min_length=1
    )
    depth: int | None = param(
        None, help="number of encoder levels: cuts filters, or continues it by doubling", minimum=1, maximum=MOST_LEVELS
    )
    ratio: int = param(
        8, help="channels for each hidden unit of the squeeze-and-excitation", minimum=1, maximum=MOST_CHANNELS
    )
    momentum: float = param(0.9, help="momentum of the moving statistics of batch normalisation", minimum=0, maximum=1)
    epsilon: float = param(1e-3, help="number that batch normalisation adds to the variance", above=0)
    dropout: float = param(0.0, help="share of the features that is dropped after each block", minimum=0, maximum=0.95)

    def build(self, spec: NetworkSpec) -> keras.Model:
        import keras

        from .blocks import decode, encode, images_input, level_filters, logits_head

        filters = level_filters(self.filters, self.width, self.depth)
        multiple = 2 ** len(filters)
        inputs, x = images_input(spec, multiple)
        maps, x = encode(x, filters, self._block)
        x = spec.bottleneck(self._block(x, 2 * filters[-1], name="bottom"))
        x = decode(x, [[features] for features in maps], filters, self._block)
        return keras.Model(inputs, logits_head(x, spec, multiple), name="seunet")

    def _block(self, x: Any, filters: int, *, name: str) -> Any:
        from keras import layers

        from .blocks import normalise
        from .residual import squeeze_excite

        def convolve(features: Any, part: str) -> Any:
            features = layers.Conv2D(filters, 3, padding="same", use_bias=False, name=f"{name}_{part}")(features)
            return normalise(features, f"{name}_{part}", momentum=self.momentum, epsilon=self.epsilon)

        x = layers.ReLU(name=f"{name}_relu1")(convolve(x, "conv1"))
        residual = squeeze_excite(convolve(x, "conv2"), ratio=self.ratio, name=name)
        x = layers.ReLU(name=f"{name}_relu2")(layers.Add(name=f"{name}_add")([x, residual]))
        return layers.Dropout(self.dropout, name=f"{name}_dropout")(x) if self.dropout else x
