"""The TransUNet architecture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from marsseg_core.plugin_api import Architecture, NetworkSpec, param
from marsseg_plugins.widths import FEWEST_NORMALISED, scaled

from ..limits import MOST_BLOCKS, MOST_CHANNELS, MOST_HEADS, MOST_WIDTH

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class TransUNet(Architecture):
    """TransUNet: a residual convolutional encoder, a vision transformer and the decoder of a U-Net.

    Structure:

    - Stem: a 7×7 convolution of stride 2, group norm and ReLU, then 3×3 max-pooling of stride 2 without padding.
    - Stages of bottleneck units (1×1, 3×3, 1×1 convolution to four times the filters), with weight-standardised
      convolutions and group norm. Each stage except the first halves the size.
    - Transformer: a 1×1 convolution to tokens, learned positions, pre-norm transformer blocks and a last norm. The
      bottlenecks follow.
    - Decoder: a 3×3 convolution to twice the filters of its first level. Each level is bilinear upsampling with aligned
      corners, concatenation with the encoder map of the same size, and two 3×3 convolutions. The finest level has no
      skip.
    - The head is a 3×3 convolution. Images of one channel are repeated to three channels.

    `encoder=patches` has no convolutional encoder and no skips: the image is cut into patches, which are the tokens. A
    patch has 2ⁿ × 2ⁿ pixels, with n the number of decoder levels. `units` and `filters` have no effect.

    Convolutions of stride 2 pad all sides equally (the 7×7 convolution by 3, the 3×3 ones by 1). The pooled stem and
    the first stage have one row and one column fewer than a quarter of the image, so the skip of that stage is padded
    with zeros below and to the right.

    The default is a small network of the same structure, for data sets of hundreds or thousands of tiles: three
    transformer blocks of width 192, four units, a quarter of the published filters. The published R50-ViT-B/16 is the
    recipe `transunet-paper`: 105,277,081 trainable parameters (224×224, 3 channels, 9 classes). With `encoder=patches`
    it is ViT-B/16 without skips: 91,674,201.

    The outputs for equal weights are equal to those of the authors' code, with `epsilon=1e-5` as in the recipe. That
    code takes only square images, and starts from weights trained on ImageNet-21k; here all weights start at random.

    A stage has at least four filters and a token at least four channels, also for a small `width`: a standardised 1×1
    kernel over one channel would always be 0.

    Paper: Chen and others, "TransUNet: Transformers Make Strong Encoders for Medical Image Segmentation",
    arXiv 2102.04306; github.com/Beckschen/TransUNet.
    """

    width: float = param(1.0, help="factor for filters, embedding, mlp and decoder", above=0, maximum=MOST_WIDTH)
    encoder: Literal["hybrid", "patches"] = param(
        "hybrid", help="how tokens are made: by residual stages, or from patches"
    )
    units: tuple[int, ...] = param(
        (1, 1, 2), help="residual units in each stage, finest first", minimum=1, maximum=MOST_BLOCKS, min_length=1
    )
    filters: tuple[int, ...] = param(
        (16, 32, 64),
        help="inner filters of each stage; the first number is also the stem's",
        minimum=1,
        maximum=MOST_CHANNELS,
        min_length=1,
    )
    embedding: int = param(192, help="channels of a token", minimum=1, maximum=MOST_CHANNELS)
    layers: int = param(3, help="number of transformer blocks", minimum=1, maximum=MOST_BLOCKS)
    heads: int = param(3, help="number of attention heads", minimum=1, maximum=MOST_HEADS)
    mlp: int | Literal["auto"] = param(
        "auto", help="hidden units of the perceptron; auto: 4 × embedding", minimum=1, maximum=MOST_CHANNELS
    )
    dropout: float = param(0.1, help="dropout after positions and perceptron", minimum=0, maximum=0.95)
    decoder: tuple[int, ...] = param(
        (64, 32, 16, 16),
        help="filters of each decoder level, coarsest first",
        minimum=1,
        maximum=MOST_CHANNELS,
        min_length=2,
    )
    momentum: float = param(0.9, help="momentum of the moving statistics of batch normalisation", minimum=0, maximum=1)
    epsilon: float = param(1e-3, help="number that batch normalisation adds to the variance", above=0)

    layer_modules: ClassVar[tuple[str, ...]] = (
        "marsseg_plugins.architectures.custom_layers",
        "marsseg_plugins.bottlenecks.positions",
        "marsseg_plugins.resampling",
    )

    def __post_init__(self) -> None:
        if self.encoder == "patches":
            return
        if len(self.units) != len(self.filters):
            raise ValueError("units and filters must both have one number for each stage")
        if len(self.decoder) != len(self.filters) + 1:
            raise ValueError("decoder must have one level more than filters has stages")

    def build(self, spec: NetworkSpec) -> keras.Model:
        import keras
        from keras import layers

        from marsseg_plugins.resampling import AlignedResizing

        from .blocks import images_input, level_filters, logits_head

        decoder = level_filters(self.decoder, self.width)
        embedding = scaled(self.embedding, self.width, FEWEST_NORMALISED)
        stride = 2 ** len(decoder)
        # The pooling of the stem needs a map of at least 4×4.
        multiple = max(8, stride) if self.encoder == "hybrid" else stride
        inputs, x = images_input(spec, multiple)
        if spec.channels == 1:
            x = layers.Concatenate(name="repeat")([x, x, x])
        skips: list[Any] = []
        if self.encoder == "hybrid":
            x, skips = self._residual_encoder(x)
        patch = stride if self.encoder == "patches" else 1
        x = layers.Conv2D(embedding, patch, strides=patch, name="embed")(x)
        x = self._transformer(x)
        x = spec.bottleneck(x)
        x = self._convolve(x, 2 * decoder[0], "decoder")
        for level, filters in enumerate(decoder, start=1):
            name = f"decoder{level}"
            x = AlignedResizing(2 * x.shape[1], 2 * x.shape[2], name=f"{name}_up")(x)
            if level <= len(skips):
                x = layers.Concatenate(name=f"{name}_merge")([x, skips[-level]])
            for i in (1, 2):
                x = self._convolve(x, filters, f"{name}_conv{i}")
        return keras.Model(inputs, logits_head(x, spec, multiple, 3), name="transunet")

    def without_effect(self) -> dict[str, str]:
        return {} if self.encoder == "hybrid" else dict.fromkeys(("units", "filters"), "encoder")

    def _convolve(self, x: Any, filters: int, name: str) -> Any:
        from keras import layers

        x = layers.Conv2D(filters, 3, padding="same", use_bias=False, name=name)(x)
        x = layers.BatchNormalization(momentum=self.momentum, epsilon=self.epsilon, name=f"{name}_norm")(x)
        return layers.ReLU(name=f"{name}_relu")(x)

    def _residual_encoder(self, x: Any) -> tuple[Any, list[Any]]:
        """Return the coarsest map of the encoder, and the finer maps as skips, finest first."""
        from keras import layers

        filters = [scaled(count, self.width, FEWEST_NORMALISED) for count in self.filters]
        x = self._standardised(x, filters[0], 7, 2, "stem", relu=True)
        skips = [x]
        rows, columns = x.shape[1:3]
        x = layers.MaxPooling2D(3, 2, name="stem_pool")(x)
        for stage, (count, units) in enumerate(zip(filters, self.units, strict=True), start=1):
            for number in range(1, units + 1):
                stride = 2 if stage > 1 and number == 1 else 1
                x = self._unit(x, count, stride, f"stage{stage}_unit{number}")
            rows, columns = rows // 2, columns // 2
            skips.append(_pad_to(x, rows, columns, f"stage{stage}_fill"))
        return skips[-1], skips[:-1]

    def _unit(self, x: Any, filters: int, stride: int, name: str) -> Any:
        from keras import layers

        from .blocks import subsample

        shortcut = x
        if stride > 1 or x.shape[-1] != 4 * filters:
            shortcut = subsample(x, stride, f"{name}_subsample")
            shortcut = self._standardised(shortcut, 4 * filters, 1, 1, f"{name}_shortcut", by_channel=True)
        x = self._standardised(x, filters, 1, 1, f"{name}_conv1", relu=True)
        x = self._standardised(x, filters, 3, stride, f"{name}_conv2", relu=True)
        x = self._standardised(x, 4 * filters, 1, 1, f"{name}_conv3")
        return layers.ReLU(name=f"{name}_relu")(layers.Add(name=f"{name}_add")([shortcut, x]))

    def _standardised(
        self,
        x: Any,
        filters: int,
        kernel: int,
        stride: int,
        name: str,
        *,
        by_channel: bool = False,
        relu: bool = False,
    ) -> Any:
        from keras import layers

        from .custom_layers import StandardisedConv2D

        if stride > 1:
            # "same" would pad more below and to the right, and shift the map relative to its shortcut.
            x = layers.ZeroPadding2D(kernel // 2, name=f"{name}_pad")(x)
        padding = "valid" if stride > 1 else "same"
        x = StandardisedConv2D(filters, kernel, strides=stride, padding=padding, use_bias=False, name=name)(x)
        # As published: 32 groups, or the largest smaller power of 2 that divides the channels. In a shortcut, each
        # channel is its own group.
        groups = filters if by_channel else next(g for g in (32, 16, 8, 4, 2, 1) if filters % g == 0)
        epsilon = 1e-5 if by_channel else 1e-6
        x = layers.GroupNormalization(groups, epsilon=epsilon, name=f"{name}_norm")(x)
        return layers.ReLU(name=f"{name}_relu")(x) if relu else x

    def _transformer(self, x: Any) -> Any:
        from keras import layers

        from marsseg_plugins.bottlenecks.positions import LearnedPositions

        _, rows, columns, embedding = x.shape
        key_size = max(1, embedding // self.heads)
        hidden = 4 * embedding if self.mlp == "auto" else scaled(self.mlp, self.width)
        x = layers.Reshape((rows * columns, embedding), name="tokens")(x)
        x = layers.Dropout(self.dropout, name="tokens_dropout")(LearnedPositions(name="positions")(x))
        for number in range(1, self.layers + 1):
            name = f"block{number}"
            y = layers.LayerNormalization(epsilon=1e-6, name=f"{name}_norm1")(x)
            y = layers.MultiHeadAttention(self.heads, key_size, name=f"{name}_attention")(y, y)
            x = layers.Add(name=f"{name}_add1")([x, y])
            y = layers.LayerNormalization(epsilon=1e-6, name=f"{name}_norm2")(x)
            y = layers.Dense(hidden, activation="gelu", name=f"{name}_dense1")(y)
            y = layers.Dropout(self.dropout, name=f"{name}_dropout1")(y)
            y = layers.Dense(embedding, name=f"{name}_dense2")(y)
            y = layers.Dropout(self.dropout, name=f"{name}_dropout2")(y)
            x = layers.Add(name=f"{name}_add2")([x, y])
        x = layers.LayerNormalization(epsilon=1e-6, name="encoded_norm")(x)
        return layers.Reshape((rows, columns, embedding), name="map")(x)


def _pad_to(x: Any, rows: int, columns: int, name: str) -> Any:
    """Pad a map with zeros below and to the right to `rows` × `columns`."""
    from keras import layers

    missing = (0, rows - x.shape[1]), (0, columns - x.shape[2])
    return x if missing == ((0, 0), (0, 0)) else layers.ZeroPadding2D(missing, name=name)(x)
