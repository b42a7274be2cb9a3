"""The SegFormer architecture."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from marsseg_core.plugin_api import Architecture, NetworkSpec, param
from marsseg_plugins.encoders.mit_b0 import MixTransformer
from marsseg_plugins.widths import scaled

from ..limits import MOST_CHANNELS, MOST_WIDTH

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class SegFormer(Architecture):
    """SegFormer: a hierarchical transformer as encoder, and a decoder of perceptrons that joins its four maps.

    Structure: the bottlenecks are applied to the coarsest map of the encoder. A dense layer brings each map from stride
    4 on to `filters` channels. All are upsampled bilinearly to stride 4 and concatenated, and a 1×1 convolution with
    normalisation and ReLU follows, then dropout. The head's logits are upsampled bilinearly.

    Without `--encoder`, the encoder is that of SegFormer-B0: `mit_b0` with the `width` of this network. `width` does
    not change the encoder of the plan.

    Published: 3,719,027 trainable parameters (B0, 3 channels, 19 classes: 3.7 million in the paper).

    With `epsilon=1e-5`, the outputs for equal weights are equal to those of segmentation_models.pytorch, without its
    upsampling with aligned corners at the end.

    Paper: Xie and others, "SegFormer: Simple and Efficient Design for Semantic Segmentation with Transformers",
    arXiv 2105.15203.
    """

    takes_encoder = True

    width: float = param(
        1.0, help="factor for filters, and for the encoder without --encoder", above=0, maximum=MOST_WIDTH
    )
    filters: int = param(256, help="channels of each map in the decoder", minimum=1, maximum=MOST_CHANNELS)
    momentum: float = param(0.9, help="momentum of the moving statistics of batch normalisation", minimum=0, maximum=1)
    epsilon: float = param(1e-3, help="number that batch normalisation adds to the variance", above=0)
    dropout: float = param(0.1, help="share of the features that is dropped before the head", minimum=0, maximum=0.95)

    def build(self, spec: NetworkSpec) -> keras.Model:
        import keras
        from keras import layers

        from .blocks import images_input, logits_head, normalise, upsample
        from .encoders import ENCODER_MULTIPLE

        filters = scaled(self.filters, self.width)
        if spec.encoder is None:
            spec = replace(spec, encoder=MixTransformer(width=self.width))
        inputs, x = images_input(spec, ENCODER_MULTIPLE)
        maps = {stride: features for stride, features in spec.encode(x).items() if stride >= 4}
        maps[max(maps)] = spec.bottleneck(maps[max(maps)])
        joined = []
        for stride in sorted(maps, reverse=True):
            name = f"decoder{stride.bit_length() - 1}"
            x = layers.Dense(filters, name=f"{name}_dense")(maps[stride])
            joined.append(upsample(x, stride // 4, f"{name}_up", mode="bilinear"))
        x = layers.Concatenate(name="merge")(joined)
        x = layers.Conv2D(filters, 1, use_bias=False, name="fuse_conv")(x)
        x = layers.ReLU(name="fuse_relu")(normalise(x, "fuse", momentum=self.momentum, epsilon=self.epsilon))
        if self.dropout:
            x = layers.Dropout(self.dropout, name="fuse_dropout")(x)
        return keras.Model(inputs, logits_head(x, spec, ENCODER_MULTIPLE, factor=4), name="segformer")
