"""The report's Dual U-Net."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from marsseg_core.plugin_api import BOTTLENECK, Kind, NetworkSpec, param

from .convolutional import ConvolutionalArchitecture

if TYPE_CHECKING:
    import keras

PLAN = "plan"


@dataclass(frozen=True)
class DualUNet(ConvolutionalArchitecture):
    """Dual U-Net: a first U-Net's class map is fed, with or without the image, to a second one.

    Wiring: each half is a U-Net of encoder blocks with 2×2 max-pooling, a bottom block of twice the last level's
    filters, bottlenecks and a decoder with a skip at each level. The first half's output is a 1×1 convolution with
    softmax, one map for each class. The last maps of both decoders are concatenated before the head. In between:

    - `feed` is what enters the second half, several things concatenated: `output` is the first half's output,
      `product` each of its maps times each channel of the image, `image` the image itself.
    - `cross_skips` adds the first encoder's maps to the second decoder's skips, level by level as far as both go.

    The report's recorded instance, the recipe `dual-report`: 8 to 128 filters and 64 to 1024 filters with a residual
    encoder, ASPP in both, the product, crossing skips. Its Table 1: validation mean IoU 60.64, on Kaggle 58.20.
    """

    first_filters: tuple[int, ...] = param(
        (8, 16, 32, 64), help="filters of the first encoder, finest first", minimum=1, min_length=1
    )
    second_filters: tuple[int, ...] = param(
        (64, 128, 256, 512), help="filters of the second encoder, finest first", minimum=1, min_length=1
    )
    first_bottleneck: str = param(
        PLAN, help="the first half's: names as on the command line, or plan for the run's own"
    )
    second_bottleneck: str = param(PLAN, help="the second half's, likewise")
    feed: tuple[Literal["output", "product", "image"], ...] = param(
        ("product",), help="what enters the second half", min_length=1
    )
    cross_skips: bool = param(True, help="skips from the first encoder to the second decoder")
    first_residual: bool = param(False, help="the first encoder's blocks are residual")
    second_residual: bool = param(True, help="the second encoder's blocks are residual")
    upsampling: Literal["nearest", "bilinear", "transposed"] = param(
        "nearest", help="how the decoders double their size"
    )

    def __post_init__(self) -> None:
        if not self.feed or len(set(self.feed)) < len(self.feed):
            raise ValueError("feed names at least one thing, and none twice")

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
        skips = [[own] for own in maps]
        first_last = decode(x, skips, first, block, upsampling=self.upsampling, prefix="first.")

        x = self._second_input(image, first_last, spec)
        crossing = maps if self.cross_skips else []
        maps, x = encode(x, second, partial(block, residual=self.second_residual), prefix="second.")
        x = block(x, 2 * second[-1], name="second.bottom")
        x = self._bottleneck(x, self.second_bottleneck, spec, "second.")
        skips = [[own, *crossing[level : level + 1]] for level, own in enumerate(maps)]
        second_last = decode(x, skips, second, block, upsampling=self.upsampling, prefix="second.")

        x = layers.Concatenate(name="merge")([first_last, second_last])
        return keras.Model(inputs, logits_head(x, spec, multiple), name="dual")

    def _bottleneck(self, x: Any, text: str, spec: NetworkSpec, prefix: str) -> Any:
        bottlenecks = spec.bottlenecks if text == PLAN else spec.compose(text)
        return spec.chain(x, bottlenecks, prefix)

    def _second_input(self, image: Any, features: Any, spec: NetworkSpec) -> Any:
        from keras import layers

        entering = {"image": image}
        if self.feed != ("image",):
            classes = layers.Conv2D(spec.num_classes, 1, activation="softmax", name="first.output")(features)
            entering["output"] = classes
        if "product" in self.feed:
            _, rows, columns, channels = image.shape
            pairs = [
                layers.Reshape((rows, columns, channels, 1), name="product_image")(image),
                layers.Reshape((rows, columns, 1, spec.num_classes), name="product_output")(classes),
            ]
            x = layers.Multiply(name="product")(pairs)
            entering["product"] = layers.Reshape((rows, columns, -1), name="product_maps")(x)
        fed = [entering[name] for name in self.feed]
        return layers.Concatenate(name="feed")(fed) if len(fed) > 1 else fed[0]
