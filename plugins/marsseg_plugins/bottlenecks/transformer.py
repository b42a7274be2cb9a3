"""The transformer bottleneck."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from marsseg_core.plugin_api import Bottleneck, BottleneckSpec, param
from marsseg_plugins.widths import FEWEST_NORMALISED, scaled

from ..limits import MOST_BLOCKS, MOST_CHANNELS, MOST_HEADS, MOST_WIDTH


@dataclass(frozen=True)
class Transformer(Bottleneck):
    """Transformer: each cell of the coarsest map attends to all cells.

    Structure: a 3×3 convolution to `filters`, one token for each cell of the map, positions, then `layers` blocks of
    multi-head self-attention and a two-layer perceptron. The tokens then become a map again.

    - `norm=pre`: x + attention(norm(x)), then x + perceptron(norm(x)), with GELU and a last norm (ViT, arXiv
      2010.11929).
    - `norm=post`, as in the report: norm(x + norm(attention(x))), then norm(x + perceptron(x)), with ReLU after both
      layers of the perceptron.
    - `shared`: one block is applied `layers` times. With `norm=post`, its three norms are also one layer.

    A token has at least four channels, also for a small `width`: normalisation would make all tokens of one channel
    equal.

    With `norm=pre`, the outputs for equal weights are equal to those of PyTorch's `TransformerEncoder` with layers that
    have `norm_first`, GELU and an epsilon of 1e-6, as in ViT. PyTorch also applies dropout to the attention weights.
    For `norm=post` and `shared` there is no public code to compare with.

    The report has `filters=512 key_size=512 mlp=1024 dropout=0.3 shared=true norm=post positions=none`.
    """

    width: float = param(1.0, help="factor for filters and mlp", above=0, maximum=MOST_WIDTH)
    filters: int | Literal["auto"] = param(
        "auto", help="channels of a token; auto: twice those of the map", minimum=1, maximum=MOST_CHANNELS
    )
    heads: int = param(8, help="number of attention heads", minimum=1, maximum=MOST_HEADS)
    key_size: int | Literal["auto"] = param(
        "auto", help="size of a head; auto: filters / heads", minimum=1, maximum=MOST_CHANNELS
    )
    mlp: int | Literal["auto"] = param(
        "auto", help="hidden units of the perceptron; auto: twice filters", minimum=1, maximum=MOST_CHANNELS
    )
    layers: int = param(4, help="number of blocks", minimum=1, maximum=MOST_BLOCKS)
    dropout: float = param(0.1, help="dropout after attention and perceptron", minimum=0, maximum=0.95)
    norm: Literal["pre", "post"] = param("pre", help="layer normalisation before or after attention and perceptron")
    positions: Literal["learned", "sinusoidal", "none"] = param("learned", help="how positions are added to the tokens")
    shared: bool = param(False, help="use the same weights in all blocks")

    layer_modules: ClassVar[tuple[str, ...]] = ("marsseg_plugins.bottlenecks.positions",)

    def build(self, features: Any, spec: BottleneckSpec) -> Any:
        from keras import layers

        prefix = spec.prefix + "transformer"
        _, rows, columns, channels = features.shape
        filters = scaled(2 * channels if self.filters == "auto" else self.filters, self.width, FEWEST_NORMALISED)
        x = layers.Conv2D(filters, 3, padding="same", name=f"{prefix}_embed")(features)
        x = layers.Reshape((rows * columns, filters), name=f"{prefix}_tokens")(x)
        x = self._add_positions(x, rows, columns, f"{prefix}_positions")
        make_block = self._pre_norm_block if self.norm == "pre" else self._post_norm_block
        block = make_block(filters, f"{prefix}_block1")
        for number in range(1, self.layers + 1):
            if number > 1 and not self.shared:
                block = make_block(filters, f"{prefix}_block{number}")
            x = block(x)
        if self.norm == "pre":
            x = layers.LayerNormalization(epsilon=1e-6, name=f"{prefix}_norm")(x)
        return layers.Reshape((rows, columns, filters), name=f"{prefix}_map")(x)

    def _add_positions(self, x: Any, rows: int, columns: int, name: str) -> Any:
        from .positions import LearnedPositions, SinusoidalPositions

        if self.positions == "learned":
            return LearnedPositions(name=name)(x)
        if self.positions == "sinusoidal":
            return SinusoidalPositions(rows, columns, name=name)(x)
        return x

    def _attention(self, filters: int, name: str) -> Callable[[Any], Any]:
        from keras import layers

        key_size = max(1, filters // self.heads) if self.key_size == "auto" else self.key_size
        attention = layers.MultiHeadAttention(self.heads, key_size, name=f"{name}_attention")
        dropout = layers.Dropout(self.dropout, name=f"{name}_attention_dropout")
        return lambda x: dropout(attention(x, x))

    def _perceptron(self, filters: int, name: str, activations: tuple[str, str | None]) -> Callable[[Any], Any]:
        from keras import layers

        hidden = 2 * filters if self.mlp == "auto" else scaled(self.mlp, self.width)
        steps = [
            layers.Dense(hidden, activation=activations[0], name=f"{name}_dense1"),
            layers.Dropout(self.dropout, name=f"{name}_dropout1"),
            layers.Dense(filters, activation=activations[1], name=f"{name}_dense2"),
            layers.Dropout(self.dropout, name=f"{name}_dropout2"),
        ]

        def perceptron(x: Any) -> Any:
            for step in steps:
                x = step(x)
            return x

        return perceptron

    def _pre_norm_block(self, filters: int, name: str) -> Callable[[Any], Any]:
        from keras import layers

        attention, perceptron = self._attention(filters, name), self._perceptron(filters, name, ("gelu", None))
        norm1 = layers.LayerNormalization(epsilon=1e-6, name=f"{name}_norm1")
        norm2 = layers.LayerNormalization(epsilon=1e-6, name=f"{name}_norm2")

        def block(x: Any) -> Any:
            x = layers.Add()([x, attention(norm1(x))])
            return layers.Add()([x, perceptron(norm2(x))])

        return block

    def _post_norm_block(self, filters: int, name: str) -> Callable[[Any], Any]:
        from keras import layers

        attention, perceptron = self._attention(filters, name), self._perceptron(filters, name, ("relu", "relu"))
        norms = [layers.LayerNormalization(name=f"{name}_norm1")]
        norms += norms * 2 if self.shared else [layers.LayerNormalization(name=f"{name}_norm{i}") for i in (2, 3)]

        def block(x: Any) -> Any:
            x = norms[1](layers.Add()([x, norms[0](attention(x))]))
            return norms[2](layers.Add()([x, perceptron(x)]))

        return block
