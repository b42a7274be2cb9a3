"""Attention U-Net."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from marsseg_core.plugin_api import NetworkSpec, param

from .convolutional import ConvolutionalArchitecture

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class AttentionUNet(ConvolutionalArchitecture):
    """Attention U-Net: a U-Net whose deeper skips pass a gate that the coarser map controls.

    Wiring: encoder blocks with 2×2 max-pooling, a bottom block of twice the last level's filters, the bottlenecks, a
    1×1 convolution with normalisation and ReLU as the first gating signal. Each decoder level is upsampling,
    concatenation with the gated encoder level of its size, a block. The finest skip has no gate; each other one has:
    a 2×2 convolution of stride 2 on the skip plus a 1×1 convolution on the gating signal (the decoder's map from
    below), ReLU, 1×1 convolution to one channel, sigmoid, upsampled bilinearly; skip times this, 1×1 convolution,
    normalisation.

    The authors' network differs from the default in these points:

    - it is three-dimensional, with 16 to 256 filters; here are the filters of the report's U-Net;
    - after each gate comes one more 1×1 convolution with normalisation and ReLU: `combine=true`;
    - each decoder level gives maps of the classes by a 1×1 convolution, upsampled bilinearly; the logits are a 1×1
      convolution of all these side by side, which the authors call deep supervision: `head=levels`. There are no
      auxiliary heads with losses of their own;
    - the decoder upsamples linearly: `upsampling=bilinear`;
    - batch normalisation adds 1e-5 to the variance: `epsilon=1e-5`;
    - weights start as He and others have it (arXiv 1502.01852), here as Glorot's.

    With these parameters set, two-dimensional, outputs for equal weights are equal to those of their network with
    one gate for each skip (`unet_CT_single_att_dsv_3D`) on a volume that is the same in all its slices. Their other
    one has two gates side by side, which there are none of here.

    Paper: Oktay and others, "Attention U-Net: Learning Where to Look for the Pancreas", arXiv 1804.03999;
    github.com/ozan-oktay/Attention-Gated-Networks.
    """

    filters: tuple[int, ...] = param(
        (32, 64, 128, 256), help="filters of each encoder level, finest first", minimum=1, min_length=1
    )
    depth: int | None = param(None, help="encoder levels; more than there are filters go on by doubling", minimum=1)
    upsampling: Literal["nearest", "bilinear", "transposed"] = param("nearest", help="how the decoder doubles its size")
    combine: bool = param(False, help="a 1×1 convolution with normalisation and ReLU after each gate")
    head: Literal["finest", "levels"] = param(
        "finest", help="what the logits are made of: the finest decoder level, or maps of the classes from each"
    )

    def build(self, spec: NetworkSpec) -> keras.Model:
        import keras
        from keras import layers

        from .blocks import encode, images_input, level_filters, logits_head, upsample

        filters = level_filters(self.filters, self.width, self.depth)
        multiple = 2 ** len(filters)
        block, norm = self.block(), self.norm()
        inputs, x = images_input(spec, multiple)
        skips, x = encode(x, filters, block)
        x = spec.bottleneck(block(x, 2 * filters[-1], name="bottom"))
        signal = layers.Conv2D(x.shape[-1], 1, name="signal_conv")(x)
        signal = layers.ReLU(name="signal_relu")(norm(signal, "signal"))
        decoded: list[Any] = []
        for level in range(len(filters), 0, -1):
            count = filters[level - 1]
            skip = skips[level - 1]
            if level > 1:
                skip = self._gate(skip, signal, f"gate{level}")
            x = upsample(x, 2, f"up{level}", mode=self.upsampling, filters=count)
            x = layers.Concatenate(name=f"merge{level}")([x, skip])
            x = signal = block(x, count, name=f"decoder{level}")
            decoded.insert(0, x)
        if self.head == "levels":
            classes = []
            for level, features in enumerate(decoded, start=1):
                name = f"classes{level}"
                # In float32, as logits are.
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
