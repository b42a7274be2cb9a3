"""The DeepLabV3+ architecture."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Literal

from marsseg_core.plugin_api import Architecture, BottleneckSpec, NetworkSpec, param
from marsseg_plugins.bottlenecks.aspp import ASPP
from marsseg_plugins.widths import scaled

from ..limits import MOST_BLOCKS, MOST_CHANNELS, MOST_PIXELS, MOST_WIDTH

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class DeepLabV3Plus(Architecture):
    """DeepLabV3+: dilated convolutions on the coarsest map of an encoder, and a decoder with one skip at stride 4.

    Structure: the encoder (`--encoder`) is asked for the output stride 16. The bottlenecks are applied to its coarsest
    map, then the module ASPP: a 1×1 convolution, a 3×3 convolution for each of the `rates` and the average of the whole
    map. The result is upsampled bilinearly to stride 4 and concatenated with the encoder map of that stride, whose
    channels a 1×1 convolution with normalisation and ReLU reduces to `low`. Two 3×3 convolutions follow, and the head,
    whose logits are upsampled bilinearly.

    `rates=auto` takes a quarter, a half and three quarters of the shorter side of the coarsest map: 1, 2, 3 on the 4×8
    map of a 64×128 image. The published rates 6, 12, 18 are meant for images of 513×513, with a 33×33 map at stride 16;
    on 4×8, they would read almost nothing but padding.

    The decoder of the paper is `rates=6,12,18`. The authors add `separable=true` with the encoder Xception, in the
    module ASPP too. With `convolutions=1 epsilon=1e-5`, the outputs for equal weights are equal to those of the head of
    the PyTorch port github.com/VainF/DeepLabV3Plus-Pytorch; the authors' own code is in TensorFlow, and upsamples with
    aligned corners. In the port, dropout of 0.1 follows the module ASPP.

    Paper: Chen and others, "Encoder-Decoder with Atrous Separable Convolution for Semantic Image Segmentation",
    arXiv 1802.02611.
    """

    takes_encoder = True
    needs_encoder = True

    width: float = param(1.0, help="factor for filters and low", above=0, maximum=MOST_WIDTH)
    filters: int = param(256, help="filters of ASPP and decoder", minimum=1, maximum=MOST_CHANNELS)
    low: int = param(48, help="channels that the map of stride 4 is reduced to", minimum=1, maximum=MOST_CHANNELS)
    rates: tuple[int, ...] | Literal["auto"] = param(
        "auto",
        help="dilation rate of each 3×3 convolution of ASPP; auto: from the size of the map, 1,2,3 for 64×128 images",
        minimum=1,
        maximum=MOST_PIXELS,
        min_length=1,
    )
    convolutions: int = param(2, help="number of 3×3 convolutions of the decoder", minimum=1, maximum=MOST_BLOCKS)
    separable: bool = param(False, help="make the 3×3 convolutions of the decoder depthwise separable")
    momentum: float = param(0.9, help="momentum of the moving statistics of batch normalisation", minimum=0, maximum=1)
    epsilon: float = param(1e-3, help="number that batch normalisation adds to the variance", above=0)
    dropout: float = param(0.0, help="share of the features that is dropped before the head", minimum=0, maximum=0.95)

    def build(self, spec: NetworkSpec) -> keras.Model:
        import keras
        from keras import layers

        from .blocks import conv_block, images_input, logits_head, normalise, upsample
        from .encoders import ENCODER_MULTIPLE

        filters = scaled(self.filters, self.width)
        norm = partial(normalise, momentum=self.momentum, epsilon=self.epsilon)
        inputs, x = images_input(spec, ENCODER_MULTIPLE)
        maps = spec.encode(x, output_stride=16)
        low = layers.Conv2D(scaled(self.low, self.width), 1, name="low_conv")(maps[4])
        low = layers.ReLU(name="low_relu")(norm(low, "low"))
        context = ASPP(filters=filters, rates=self.rates, momentum=self.momentum, epsilon=self.epsilon)
        x = context.build(spec.bottleneck(maps[max(maps)]), BottleneckSpec(spec.num_classes, prefix="context_"))
        x = upsample(x, max(maps) // 4, "decoder_up", mode="bilinear")
        x = layers.Concatenate(name="decoder_merge")([low, x])
        x = conv_block(
            x,
            filters,
            name="decoder",
            convolutions=self.convolutions,
            norm=norm,
            dropout=self.dropout,
            layer=layers.SeparableConv2D if self.separable else layers.Conv2D,
        )
        return keras.Model(inputs, logits_head(x, spec, ENCODER_MULTIPLE, factor=4), name="deeplabv3plus")
