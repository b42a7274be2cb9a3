"""The Swin bottleneck."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from marsseg_core.plugin_api import Bottleneck, BottleneckSpec, param
from marsseg_plugins.widths import FEWEST_NORMALISED, scaled

from ..limits import MOST_BLOCKS, MOST_CHANNELS, MOST_HEADS, MOST_PIXELS, MOST_WIDTH


@dataclass(frozen=True)
class Swin(Bottleneck):
    """Swin transformer: attention inside windows; every second block shifts the windows by half a window.

    Structure: a 1×1 convolution to `filters`, then `layers` blocks: x + attention(norm(x)), then x +
    perceptron(norm(x)) with GELU. A last norm follows. Attention has a learned bias for each relative position. Where
    the shift brings opposite borders of the map together, attention between them is masked. Windows are at most as
    large as the map. Sizes that are not multiples of the window are padded and masked. A token has at least four
    channels, also for a small `width`: normalisation would make all tokens of one channel equal.

    With `epsilon=1e-5` and without the 1×1 convolution, the outputs for equal weights are equal to the published ones.
    Differences: on a map that is no larger than a window in one direction, the authors' windows are squares of the
    shorter side and never shift; here they shift in the other direction. The authors' map sizes are multiples of the
    window. In training, the authors drop whole branches (stochastic depth), and initialise kernels with a deviation of
    0.02; here single features are dropped, and the initialisation is Glorot's.

    Paper: Liu and others, "Swin Transformer: Hierarchical Vision Transformer using Shifted Windows",
    arXiv 2103.14030 (its windows are 7×7, heads of 32 channels, perceptrons of four times the filters).
    """

    width: float = param(1.0, help="factor for filters and mlp", above=0, maximum=MOST_WIDTH)
    filters: int | Literal["auto"] = param(
        "auto", help="channels of a token; auto: those of the map", minimum=1, maximum=MOST_CHANNELS
    )
    window: int = param(4, help="rows and columns of a window", minimum=2, maximum=MOST_PIXELS)
    heads: int = param(8, help="number of attention heads", minimum=1, maximum=MOST_HEADS)
    key_size: int | Literal["auto"] = param(
        "auto", help="size of a head; auto: filters / heads", minimum=1, maximum=MOST_CHANNELS
    )
    mlp: int | Literal["auto"] = param(
        "auto", help="hidden units of the perceptron; auto: 4 × filters", minimum=1, maximum=MOST_CHANNELS
    )
    layers: int = param(2, help="number of blocks; every second one is shifted", minimum=1, maximum=MOST_BLOCKS)
    dropout: float = param(0.1, help="dropout after attention and perceptron", minimum=0, maximum=0.95)
    epsilon: float = param(1e-6, help="number that layer normalisation adds to the variance", above=0)

    layer_modules: ClassVar[tuple[str, ...]] = ("marsseg_plugins.bottlenecks.windows",)

    def build(self, features: Any, spec: BottleneckSpec) -> Any:
        from keras import layers

        prefix = spec.prefix + "swin"
        channels = features.shape[-1] if self.filters == "auto" else self.filters
        filters = scaled(channels, self.width, FEWEST_NORMALISED)
        x = layers.Conv2D(filters, 1, name=f"{prefix}_embed")(features)
        for number in range(1, self.layers + 1):
            x = self._block(x, filters, shifted=number % 2 == 0, name=f"{prefix}_block{number}")
        return layers.LayerNormalization(epsilon=self.epsilon, name=f"{prefix}_norm")(x)

    def _block(self, x: Any, filters: int, *, shifted: bool, name: str) -> Any:
        from keras import layers

        from .windows import WindowAttention

        key_size = max(1, filters // self.heads) if self.key_size == "auto" else self.key_size
        hidden = 4 * filters if self.mlp == "auto" else scaled(self.mlp, self.width)
        attention = layers.LayerNormalization(epsilon=self.epsilon, name=f"{name}_norm1")(x)
        attention = WindowAttention(self.heads, key_size, self.window, shifted, name=f"{name}_attention")(attention)
        attention = layers.Dropout(self.dropout, name=f"{name}_attention_dropout")(attention)
        x = layers.Add(name=f"{name}_add1")([x, attention])
        perceptron = layers.LayerNormalization(epsilon=self.epsilon, name=f"{name}_norm2")(x)
        perceptron = layers.Dense(hidden, activation="gelu", name=f"{name}_dense1")(perceptron)
        perceptron = layers.Dropout(self.dropout, name=f"{name}_dropout1")(perceptron)
        perceptron = layers.Dense(filters, name=f"{name}_dense2")(perceptron)
        perceptron = layers.Dropout(self.dropout, name=f"{name}_dropout2")(perceptron)
        return layers.Add(name=f"{name}_add2")([x, perceptron])
