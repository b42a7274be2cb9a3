"""The U-Net++ architecture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from marsseg_core.plugin_api import NetworkSpec, param
from marsseg_plugins.widths import check_levels

from ..limits import MOST_CHANNELS, MOST_LEVELS
from .convolutional import ConvolutionalArchitecture

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class UNetPlusPlus(ConvolutionalArchitecture):
    """U-Net++: U-Nets of several depths nested in one network, with dense skips along each row.

    Structure: node X(i, j) of row i (0 is the finest) and column j is a block. Its input is the concatenation of the
    earlier nodes of its row, X(i, 0) to X(i, j − 1), and of X(i + 1, j − 1), upsampled by a 2×2 transposed convolution.
    Column 0 is the encoder with 2×2 max-pooling; the bottlenecks follow its last node. Five rows have fifteen nodes.
    The head is on the last node of row 0. Deep supervision adds heads on X(0, j) of the other columns from 1 on;
    "aux_2" is next to the last node. A network with fewer rows is the same network, pruned.

    With an encoder (`--encoder`), its maps are the nodes of column 0: there is a row for each of its strides and for
    the size of the image, of `filters`, continued by doubling; `depth` has no effect. A row that the encoder has no map
    for begins with the first node that has a coarser node to its left.

    Published: 32 to 512 filters, no normalisation: 9,041,601 trainable parameters (1 channel, 1 class), or 9,041,700
    with deep supervision, which is the recipe `unetpp-paper`.

    With the recipe, the outputs for equal weights are equal to those of the authors' Keras code, which has the same
    heads for deep supervision. Its training differs: dropout of 0.5 follows each convolution (here `dropout` follows
    each block), and 3×3 and 1×1 kernels have an L2 penalty of 1e-4 and the initialisation of He and others (arXiv
    1502.01852). Here there is no penalty, and the initialisation is Glorot's.

    Paper: Zhou and others, "UNet++: A Nested U-Net Architecture for Medical Image Segmentation", arXiv 1807.10165;
    github.com/MrGiovanni/UNetPlusPlus.
    """

    takes_encoder = True
    of_own_encoder = ("depth",)

    filters: tuple[int, ...] = param(
        (32, 64, 128, 256, 512),
        help="filters of each row, finest first",
        minimum=1,
        maximum=MOST_CHANNELS,
        min_length=1,
    )
    depth: int | None = param(
        None, help="number of rows: cuts filters, or continues it by doubling", minimum=2, maximum=MOST_LEVELS
    )
    deep_supervision: bool = param(False, help="train a head on each node of row 0 except the first")
    average: bool = param(False, help="average the logits of all these heads, instead of taking those of the last one")
    upsampling: Literal["nearest", "bilinear", "transposed"] = param(
        "transposed", help="how maps are upsampled to the next finer row"
    )

    def build(self, spec: NetworkSpec) -> keras.Model:
        import keras
        from keras import layers

        from .blocks import images_input, level_filters, logits_head, pool, upsample
        from .encoders import ENCODER_MULTIPLE, encoder_levels

        block = self.block()
        first_nodes: list[Any | None]
        if spec.encoder is None:
            check_levels(self.filters, self.depth, 2)
            filters = level_filters(self.filters, self.width, self.depth)
            multiple = 2 ** (len(filters) - 1)
            inputs, x = images_input(spec, multiple)
            first_nodes = []
            for i, count in enumerate(filters):
                x = block(x if i == 0 else pool(x, 2, f"pool{i}"), count, name=f"x{i}.0")
                first_nodes.append(x)
            del first_nodes[-1]
        else:
            multiple = ENCODER_MULTIPLE
            inputs, x = images_input(spec, multiple)
            first_nodes, x = encoder_levels(spec, x)
            filters = level_filters(self.filters, self.width, len(first_nodes))
        last = len(first_nodes)
        rows = [[] if node is None else [node] for node in first_nodes] + [[spec.bottleneck(x)]]
        for j in range(1, last + 1):
            for i in range(last - j + 1):
                if not rows[i + 1]:
                    continue
                # X(i + 1, j − 1) is the last node of its row until the next step of this loop.
                x = upsample(rows[i + 1][-1], 2, f"x{i}.{j}_up", mode=self.upsampling, filters=filters[i])
                if rows[i]:
                    x = layers.Concatenate(name=f"merge{i}.{j}")([*rows[i], x])
                rows[i].append(block(x, filters[i], name=f"x{i}.{j}"))
        *others, final = rows[0] if first_nodes[0] is None else rows[0][1:]
        logits = logits_head(final, spec, multiple)
        auxiliary = {}
        if self.deep_supervision or self.average:
            for number, node in enumerate(reversed(others), start=2):
                auxiliary[f"aux_{number}"] = logits_head(node, spec, multiple, name=f"aux_{number}")
        if self.average and auxiliary:
            logits = layers.Average(dtype="float32", name="average")([logits, *auxiliary.values()])
        outputs = {"logits": logits, **auxiliary} if self.deep_supervision else logits
        return keras.Model(inputs, outputs, name="unetpp")
