"""The UNet 3+ architecture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from marsseg_core.plugin_api import NetworkSpec, param
from marsseg_plugins.widths import scaled

from ..limits import MOST_CHANNELS, MOST_LEVELS
from .convolutional import ConvolutionalArchitecture

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class UNet3Plus(ConvolutionalArchitecture):
    """UNet 3+: each decoder level combines all scales, from finer encoder levels and coarser decoder levels.

    Structure: an encoder of blocks with 2×2 max-pooling; the bottlenecks are applied to its last level. Each decoder
    level takes one map of every scale: max-pooled maps of finer encoder levels, the encoder map of its own level, and
    bilinearly upsampled maps of coarser decoder levels. A 3×3 convolution with normalisation and ReLU brings each map
    to the same number of channels. They are concatenated, and one more such convolution follows. The head is a 3×3
    convolution.

    - `deep_supervision` adds a head on each coarser decoder level and on the bottom. The results are upsampled and are
      the outputs "aux_2" (level 2), "aux_3" and so on.
    - `guided` adds the classification-guided module: dropout, 1×1 convolution and global maximum of the bottom map
      predict which classes are present, and gate all logits. In the paper, an argmax stops the gradient of this module.
      Here the gate is soft: the probability of each class is multiplied by that of its presence (the logarithms are
      added), and the output "presence" is trained as well.
    - `presence=pair` has the paper's two channels, absent and present, for all classes together. The logits are
      multiplied by the probability of present, and the module learns only through them.

    With an encoder (`--encoder`), its maps take the place of the encoder's levels: there is a level for each of its
    strides and for the size of the image, and each decoder level takes the encoder maps that there are. `depth` has no
    effect, and of `filters` only the first number has one, on `branch`.

    Trainable parameters, with the published 64 to 1024 filters:

    - plain: 26,971,777 (3 channels, 1 class), 26,970,625 (1, 1), 26,982,149 (1, 5);
    - with deep supervision: 26,989,637 (3, 1), 27,071,449 (1, 5);
    - also guided, with the pair: 26,991,687 (3, 1), 27,073,499 (1, 5);
    - also guided, with a presence for each class: 27,076,574 (1, 5). This is the recipe `unet3plus-paper`.

    With `epsilon=1e-5` as in the recipe, the outputs for equal weights are equal to those of the authors' code, plain
    and with deep supervision (with 1e-3 they differ by 0.6 % of their scale). Guided, with the pair, they become equal
    as the weights of the presence grow; for ordinary weights they differ, because the gate is soft. The authors'
    kernels have the initialisation of He and others (arXiv 1502.01852), and the scales of normalisations start around
    1 with a deviation of 0.02. Here the initialisation is Glorot's, and scales start at 1.

    Paper: Huang and others, "UNet 3+: A Full-Scale Connected UNet for Medical Image Segmentation", arXiv 2004.08790;
    github.com/ZJUGiveLab/UNet-Version.
    """

    takes_encoder = True
    of_own_encoder = ("depth",)

    filters: tuple[int, ...] = param(
        (64, 128, 256, 512, 1024),
        help="filters of each level, finest first",
        minimum=1,
        maximum=MOST_CHANNELS,
        min_length=1,
    )
    depth: int | None = param(
        None, help="number of levels: cuts filters, or continues it by doubling", minimum=2, maximum=MOST_LEVELS
    )
    branch: int | Literal["auto"] = param(
        "auto",
        help="channels of each combined scale; auto: the filters of the finest level",
        minimum=1,
        maximum=MOST_CHANNELS,
    )
    deep_supervision: bool = param(False, help="train a head on each level of the decoder")
    guided: bool = param(False, help="gate the logits by the classes that are predicted for the whole image")
    presence: Literal["classes", "pair"] = param(
        "classes", help="one gate for each class, or one pair (absent, present) for all classes together"
    )

    def without_effect(self) -> dict[str, str]:
        return super().without_effect() | ({} if self.guided else {"presence": "guided"})

    def build(self, spec: NetworkSpec) -> keras.Model:
        import keras
        from keras import layers

        from .blocks import images_input, level_filters, logits_head, pool, upsample
        from .encoders import ENCODER_MULTIPLE, encoder_levels

        filters = level_filters(self.filters, self.width, self.depth)
        branch = filters[0] if self.branch == "auto" else scaled(self.branch, self.width)
        block = self.block()
        encoder: dict[int, Any]
        if spec.encoder is None:
            last = len(filters)
            multiple = 2 ** (last - 1)
            inputs, x = images_input(spec, multiple)
            encoder = {}
            for level, count in enumerate(filters, start=1):
                x = x if level == 1 else pool(x, 2, f"pool{level - 1}")
                x = encoder[level] = block(x, count, convolutions=self.convolutions, name=f"encoder{level}")
        else:
            multiple = ENCODER_MULTIPLE
            inputs, x = images_input(spec, multiple)
            maps, x = encoder_levels(spec, x)
            last = len(maps) + 1
            encoder = {level: features for level, features in enumerate(maps, start=1) if features is not None}
        decoder = {last: spec.bottleneck(x)}
        for level in range(last - 1, 0, -1):
            scales = []
            for other in range(1, last + 1):
                name = f"decoder{level}_from{other}"
                if other > level:
                    x = upsample(decoder[other], 2 ** (other - level), f"{name}_up", mode="bilinear")
                elif other in encoder:
                    x = pool(encoder[other], 2 ** (level - other), f"{name}_pool")
                else:
                    continue
                scales.append(block(x, branch, convolutions=1, name=name))
            x = layers.Concatenate(name=f"merge{level}")(scales) if len(scales) > 1 else scales[0]
            decoder[level] = block(x, len(scales) * branch, convolutions=1, name=f"decoder{level}")
        outputs = {"logits": logits_head(decoder[1], spec, multiple, 3)}
        if self.deep_supervision:
            for level in range(2, last + 1):
                name = f"aux_{level}"
                outputs[name] = logits_head(decoder[level], spec, multiple, 3, name=name, factor=2 ** (level - 1))
        if self.guided:
            outputs = self._guide(outputs, decoder[last], spec)
        return keras.Model(inputs, outputs if len(outputs) > 1 else outputs["logits"], name="unet3plus")

    def _guide(self, outputs: dict[str, Any], bottom: Any, spec: NetworkSpec) -> dict[str, Any]:
        from keras import layers

        options = {"dtype": "float32"}
        pair = self.presence == "pair"
        x = layers.Dropout(0.5, name="presence_dropout")(bottom)
        x = layers.Conv2D(2 if pair else spec.num_classes, 1, name="presence_conv", **options)(x)
        x = layers.GlobalMaxPooling2D(keepdims=True, name="presence_maximum", **options)(x)
        if pair:
            gate, join = layers.Softmax(name="presence_softmax", **options)(x)[..., 1:], layers.Multiply
        else:
            gate, join = layers.Activation("log_sigmoid", name="presence_gate", **options)(x), layers.Add
        gated = {name: join(name=f"{name}_gated", **options)([logits, gate]) for name, logits in outputs.items()}
        return gated if pair else gated | {"presence": layers.Flatten(name="presence", **options)(x)}
