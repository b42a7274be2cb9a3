"""The Attention U-Net architecture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from marsseg_core.plugin_api import NetworkSpec, param

from ..limits import MOST_CHANNELS, MOST_LEVELS
from .convolutional import ConvolutionalArchitecture

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class AttentionUNet(ConvolutionalArchitecture):
    """Attention U-Net: a U-Net with an attention gate on each skip except the finest.

    Structure:

    - Encoder: blocks with 2×2 max-pooling, then a bottom block with twice the filters of the last level, then the
      bottlenecks.
    - The first gating signal is the result of a 1×1 convolution with normalisation and ReLU. Later ones are the maps
      of the coarser decoder levels.
    - Each decoder level is upsampling, concatenation with the gated encoder map of the same size, and a block.
    - A gate adds a 2×2 convolution of stride 2 on the skip and a 1×1 convolution on the gating signal. ReLU, a 1×1
      convolution to one channel, sigmoid and bilinear upsampling follow. The skip is multiplied by the result, then
      come a 1×1 convolution and normalisation.

    With an encoder (`--encoder`), its maps take the place of the encoder's levels and of the bottom: the decoder has a
    level for each of its strides and the size of the image, of `filters`, continued by doubling; `depth` has no effect.
    A level that the encoder has no map for has no skip.

    The network of the authors differs from the default in these points:

    - It is three-dimensional, with 16 to 256 filters. The default filters here are those of the report's U-Net.
    - One more 1×1 convolution with normalisation and ReLU follows each gate: `combine=true`.
    - A 1×1 convolution on each decoder level gives class maps, which are upsampled bilinearly and concatenated. A 1×1
      convolution of these gives the logits. The authors call this deep supervision: `head=levels`. There are no
      auxiliary heads with their own losses.
    - The decoder upsamples linearly: `upsampling=bilinear`.
    - Batch normalisation adds 1e-5 to the variance: `epsilon=1e-5`.
    - Weights are initialised as by He and others (arXiv 1502.01852); here as by Glorot.

    With these parameters, the outputs for equal weights are equal to those of the authors' network with one gate for
    each skip (`unet_CT_single_att_dsv_3D`), if all slices of its input volume are the same. The authors' other network,
    with two gates side by side, is not available here.

    Paper: Oktay and others, "Attention U-Net: Learning Where to Look for the Pancreas", arXiv 1804.03999;
    github.com/ozan-oktay/Attention-Gated-Networks.
    """

    takes_encoder = True
    of_own_encoder = ("depth",)

    filters: tuple[int, ...] = param(
        (32, 64, 128, 256),
        help="filters of each encoder level, finest first",
        minimum=1,
        maximum=MOST_CHANNELS,
        min_length=1,
    )
    depth: int | None = param(
        None, help="number of encoder levels: cuts filters, or continues it by doubling", minimum=1, maximum=MOST_LEVELS
    )
    upsampling: Literal["nearest", "bilinear", "transposed"] = param(
        "nearest", help="how the decoder doubles the size of maps"
    )
    combine: bool = param(False, help="add a 1×1 convolution with normalisation and ReLU after each gate")
    head: Literal["finest", "levels"] = param(
        "finest", help="compute the logits from the finest decoder level, or from class maps of all levels"
    )

    def build(self, spec: NetworkSpec) -> keras.Model:
        import keras
        from keras import layers

        from .blocks import encode, images_input, level_filters, logits_head, upsample
        from .encoders import ENCODER_MULTIPLE, encoder_levels

        block, norm = self.block(), self.norm()
        skips: list[Any | None]
        if spec.encoder is None:
            filters = level_filters(self.filters, self.width, self.depth)
            multiple = 2 ** len(filters)
            inputs, x = images_input(spec, multiple)
            skips, x = encode(x, filters, block)
            x = block(x, 2 * filters[-1], name="bottom")
        else:
            multiple = ENCODER_MULTIPLE
            inputs, x = images_input(spec, multiple)
            skips, x = encoder_levels(spec, x)
            filters = level_filters(self.filters, self.width, len(skips))
        x = spec.bottleneck(x)
        signal = layers.Conv2D(x.shape[-1], 1, name="signal_conv")(x)
        signal = layers.ReLU(name="signal_relu")(norm(signal, "signal"))
        decoded: list[Any] = []
        for level in range(len(filters), 0, -1):
            count = filters[level - 1]
            skip = skips[level - 1]
            if level > 1 and skip is not None:
                skip = self._gate(skip, signal, f"gate{level}")
            x = upsample(x, 2, f"up{level}", mode=self.upsampling, filters=count)
            if skip is not None:
                x = layers.Concatenate(name=f"merge{level}")([x, skip])
            x = signal = block(x, count, name=f"decoder{level}")
            decoded.insert(0, x)
        if self.head == "levels":
            classes = []
            for level, features in enumerate(decoded, start=1):
                name = f"classes{level}"
                # In float32, like logits.
                features = layers.Conv2D(spec.num_classes, 1, dtype="float32", name=name)(features)
                classes.append(upsample(features, 2 ** (level - 1), f"{name}_up", mode="bilinear"))
            x = layers.Concatenate(dtype="float32", name="classes")(classes)
        return keras.Model(inputs, logits_head(x, spec, multiple), name="attention")

    def _gate(self, skip: Any, signal: Any, name: str) -> Any:
        from keras import layers

        from .blocks import upsample

        norm, channels = self.norm(), skip.shape[-1]
        theta = layers.Conv2D(channels, 2, strides=2, use_bias=False, name=f"{name}_theta")(skip)
        phi = layers.Conv2D(channels, 1, name=f"{name}_phi")(signal)
        x = layers.ReLU(name=f"{name}_relu")(layers.Add(name=f"{name}_add")([theta, phi]))
        x = layers.Conv2D(1, 1, activation="sigmoid", name=f"{name}_psi")(x)
        x = layers.Multiply(name=f"{name}_multiply")([skip, upsample(x, 2, f"{name}_up", mode="bilinear")])
        x = layers.Conv2D(channels, 1, name=f"{name}_conv")(x)
        x = norm(x, name)
        if not self.combine:
            return x
        x = layers.Conv2D(channels, 1, name=f"{name}_combine")(x)
        x = norm(x, f"{name}_combine")
        return layers.ReLU(name=f"{name}_combine_relu")(x)
