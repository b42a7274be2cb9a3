"""The small squeeze-and-excitation U-Net."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from marsseg_core.plugin_api import Architecture, NetworkSpec, param

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class SEUNet(Architecture):
    """Squeeze-and-excitation U-Net: two levels, residual, half a million parameters.

    Wiring: a U-Net of encoder blocks with 2×2 max-pooling, a bottom block of twice the last level's filters, the
    bottlenecks, and decoder blocks after upsampling by nearest neighbour and concatenation with the encoder level of
    their size. A block is a 3×3 convolution, batch norm, ReLU; then a residual unit: its 3×3 convolution, batch norm
    and squeeze-and-excitation are added to its input before the ReLU. The residual needs no convolution of its own.

    Published: 0.478 million parameters (here 478,405 trainable, 1 → 5), the best small network seen on the course's
    data: 73.22 after about five minutes on one GPU.

    Paper of the gates: Hu and others, "Squeeze-and-Excitation Networks", arXiv 1709.01507.
    """

    width: float = param(1.0, help="multiplier of all filters", above=0)
    filters: tuple[int, ...] = param(
        (32, 64), help="filters of each encoder level, finest first", minimum=1, min_length=1
    )
    depth: int | None = param(None, help="encoder levels; more than there are filters go on by doubling", minimum=1)
    ratio: int = param(8, help="channels per hidden unit of the squeeze-and-excitation", minimum=1)
    momentum: float = param(0.9, help="of the batch normalisation's moving statistics", minimum=0, maximum=1)
    epsilon: float = param(1e-3, help="what batch normalisation adds to the variance", above=0)
    dropout: float = param(0.0, help="share of features dropped after each block", minimum=0, maximum=0.95)

    def build(self, spec: NetworkSpec) -> keras.Model:
        import keras

        from .blocks import decode, encode, images_input, level_filters, logits_head

        filters = level_filters(self.filters, self.width, self.depth)
        multiple = 2 ** len(filters)
        inputs, x = images_input(spec, multiple)
        maps, x = encode(x, filters, self._block)
        x = spec.bottleneck(self._block(x, 2 * filters[-1], name="bottom"))
        x = decode(x, [[own] for own in maps], filters, self._block)
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
