"""The architecture `dilated`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from marsseg_core.plugin_api import Architecture, NetworkSpec, param

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class Dilated(Architecture):
    """Dilated network: convolutions at half resolution, each with a larger dilation than the one before.

    Structure: a 3×3 convolution with stride 2; one 3×3 convolution for each of `dilations`, added to its input; the
    bottlenecks; a 1×1 convolution to the logits, which are upsampled bilinearly. All convolutions except the last are
    followed by batch normalisation and ReLU.

    The idea is the context module of Yu and Koltun, arXiv 1511.07122.
    """

    width: float = param(1.0, help="factor on the number of filters", above=0)
    filters: int = param(48, help="channels of each feature map, before `width`", minimum=1)
    dilations: tuple[int, ...] = param(
        (1, 2, 4, 8, 16), help="dilation rate of each convolution", minimum=1, min_length=1
    )

    def build(self, spec: NetworkSpec) -> keras.Model:
        import keras
        from keras import layers

        filters = max(1, round(self.width * self.filters))

        def convolve(x: Any, name: str, **options: Any) -> Any:
            x = layers.Conv2D(filters, 3, padding="same", use_bias=False, name=f"{name}_conv", **options)(x)
            x = layers.BatchNormalization(momentum=0.9, name=f"{name}_norm")(x)
            return layers.ReLU(name=f"{name}_relu")(x)

        images = keras.Input((spec.height, spec.width, spec.channels), name="images")
        x = convolve(images, "entry", strides=2)
        for number, dilation in enumerate(self.dilations, start=1):
            dilated = convolve(x, f"look{number}", dilation_rate=dilation)
            x = layers.Add(name=f"look{number}_add")([x, dilated])
        x = spec.bottleneck(x)
        # Use float32 for the logits, also with mixed precision: half precision is too coarse for the softmax.
        x = layers.Conv2D(spec.num_classes, 1, dtype="float32", name="logits_small")(x)
        x = layers.UpSampling2D(2, interpolation="bilinear", dtype="float32", name="logits_up")(x)
        # The stride rounded odd sides up, so crop the extra row or column.
        extra = ((0, spec.height % 2), (0, spec.width % 2))
        return keras.Model(images, layers.Cropping2D(extra, dtype="float32", name="logits")(x), name="dilated")
