"""The Dual U-Net architecture of the report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from marsseg_core.plugin_api import BOTTLENECK, Kind, NetworkSpec, param

from ..limits import MOST_CHANNELS
from .convolutional import ConvolutionalArchitecture

if TYPE_CHECKING:
    import keras

PLAN = "plan"


@dataclass(frozen=True)
class DualUNet(ConvolutionalArchitecture):
    """Dual U-Net: two U-Nets in a row; the second one reads the class maps of the first one.

    Structure: each half is a U-Net with encoder blocks and 2×2 max-pooling, a bottom block with twice the filters of
    the last level, bottlenecks, and a decoder with a skip at each level. The output of the first half is a 1×1
    convolution with softmax: one map for each class. The last maps of both decoders are concatenated before the head.

    - `feed` lists the inputs of the second half, which are concatenated: `output` is the output of the first half,
      `product` is each of its maps times each channel of the image, `image` is the image itself.
    - `cross_skips` adds the maps of the first encoder to the skips of the second decoder, at each level that both
      halves have.

    The recipe `dual-report` is the network that the report recorded: 8 to 128 filters, then 64 to 1024 filters with a
    residual encoder; ASPP in both halves, the product, and cross skips. The report (Table 1) has a mean IoU of 60.64 in
    validation and 58.20 on Kaggle.
    """

    first_filters: tuple[int, ...] = param(
        (8, 16, 32, 64),
        help="filters of the first encoder, finest first",
        minimum=1,
        maximum=MOST_CHANNELS,
        min_length=1,
    )
    second_filters: tuple[int, ...] = param(
        (64, 128, 256, 512),
        help="filters of the second encoder, finest first",
        minimum=1,
        maximum=MOST_CHANNELS,
        min_length=1,
    )
    first_bottleneck: str = param(
        PLAN, help="bottlenecks of the first half: names as for --bottleneck, none, or plan: those of the plan"
    )
    second_bottleneck: str = param(PLAN, help="bottlenecks of the second half, in the same form")
    feed: tuple[Literal["output", "product", "image"], ...] = param(
        ("product",), help="inputs of the second half", min_length=1
    )
    cross_skips: bool = param(True, help="add skips from the first encoder to the second decoder")
    first_residual: bool = param(False, help="use residual blocks in the first encoder")
    second_residual: bool = param(True, help="use residual blocks in the second encoder")
    upsampling: Literal["nearest", "bilinear", "transposed"] = param(
        "nearest", help="how the decoders double the size of maps"
    )

    def __post_init__(self) -> None:
        if not self.feed or len(set(self.feed)) < len(self.feed):
            raise ValueError("feed must name at least one input, and each input once")

    def compositions(self) -> tuple[tuple[Kind, str], ...]:
        return tuple((BOTTLENECK, text) for text in (self.first_bottleneck, self.second_bottleneck) if text != PLAN)

    def build(self, spec: NetworkSpec) -> keras.Model:
        from functools import partial

        import keras
        from keras import layers

        from .blocks import decode, encode, images_input, level_filters, logits_head

        first = level_filters(self.first_filters, self.width)
        second = level_filters(self.second_filters, self.width)
        multiple = 2 ** max(len(first), len(second))
        block = self.block()
        inputs, image = images_input(spec, multiple)

        maps, x = encode(image, first, partial(block, residual=self.first_residual), prefix="first.")
        x = block(x, 2 * first[-1], name="first.bottom")
        x = self._bottleneck(x, self.first_bottleneck, spec, "first.")
        skips = [[features] for features in maps]
        first_last = decode(x, skips, first, block, upsampling=self.upsampling, prefix="first.")

        x = self._second_input(image, first_last, spec)
        first_maps = maps if self.cross_skips else []
        maps, x = encode(x, second, partial(block, residual=self.second_residual), prefix="second.")
        x = block(x, 2 * second[-1], name="second.bottom")
        x = self._bottleneck(x, self.second_bottleneck, spec, "second.")
        skips = [[features, *first_maps[i : i + 1]] for i, features in enumerate(maps)]
        second_last = decode(x, skips, second, block, upsampling=self.upsampling, prefix="second.")

        x = layers.Concatenate(name="merge")([first_last, second_last])
        return keras.Model(inputs, logits_head(x, spec, multiple), name="dual")

    def _bottleneck(self, x: Any, text: str, spec: NetworkSpec, prefix: str) -> Any:
        bottlenecks = spec.bottlenecks if text == PLAN else spec.compose(text)
        return spec.chain(x, bottlenecks, prefix)

    def _second_input(self, image: Any, features: Any, spec: NetworkSpec) -> Any:
        from keras import layers

        available = {"image": image}
        if self.feed != ("image",):
            classes = layers.Conv2D(spec.num_classes, 1, activation="softmax", name="first.output")(features)
            available["output"] = classes
        if "product" in self.feed:
            _, rows, columns, channels = image.shape
            pairs = [
                layers.Reshape((rows, columns, channels, 1), name="product_image")(image),
                layers.Reshape((rows, columns, 1, spec.num_classes), name="product_output")(classes),
            ]
            x = layers.Multiply(name="product")(pairs)
            available["product"] = layers.Reshape((rows, columns, -1), name="product_maps")(x)
        inputs = [available[name] for name in self.feed]
        return layers.Concatenate(name="feed")(inputs) if len(inputs) > 1 else inputs[0]
