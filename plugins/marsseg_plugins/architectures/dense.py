"""The Dense U-Net architecture of the report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from marsseg_core.plugin_api import NetworkSpec, param

from ..limits import MOST_CHANNELS, MOST_LEVELS
from .convolutional import ConvolutionalArchitecture

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class DenseUNet(ConvolutionalArchitecture):
    """Dense U-Net: each decoder level uses the maps of all encoder levels (the report's best network).

    Structure:

    - Encoder: blocks, each followed by 2×2 max-pooling. The bottlenecks are applied to the last pooled map. There is
      no bottom block.
    - Each decoder level joins the upsampled map of the coarser level with the maps of *all* encoder levels, resized
      to its size. A block follows. The encoder map of the same level is used as it is. For finer levels, the pooled
      maps are pooled further. For coarser levels, the maps before pooling are upsampled by nearest neighbour.

    Parameters:

    - `combine` is one of the report's ways to join the maps. `concat` concatenates them. `weighted` multiplies each
      map by its own fixed or learned weight, then concatenates them. `add` and `multiply` first bring each map to the
      filters of the level, by a 1×1 convolution where the number differs.
    - `levels=own` uses only the encoder map of the same level: a U-Net without a bottom block.

    The report's network has 32 to 256 filters and the transformer and ASPP bottlenecks: 20,323,914 parameters,
    20,320,074 of them trainable (64×128×1, 5 classes; `marsseg show report`). Its mean IoU is 70.76 in validation and
    70.633 on Kaggle.
    """

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
    levels: Literal["all", "own"] = param("all", help="encoder levels that each decoder level uses: all, or its own")
    combine: Literal["concat", "weighted", "add", "multiply"] = param(
        "concat", help="how a decoder level joins its maps"
    )
    weights: tuple[float, ...] | Literal["learned"] = param(
        "learned",
        help="for combine=weighted: factors by distance in levels, the last one also for larger distances; or learned",
        min_length=1,
    )

    layer_modules: ClassVar[tuple[str, ...]] = ("marsseg_plugins.architectures.custom_layers",)

    def without_effect(self) -> dict[str, str]:
        return super().without_effect() | ({} if self.combine == "weighted" else {"weights": "combine"})

    def build(self, spec: NetworkSpec) -> keras.Model:
        import keras

        from .blocks import images_input, level_filters, logits_head, pool, upsample

        filters = level_filters(self.filters, self.width, self.depth)
        depth = len(filters)
        block = self.block()
        inputs, x = images_input(spec, 2**depth)
        maps, pooled = [], []
        for level, count in enumerate(filters, start=1):
            maps.append(block(x, count, name=f"encoder{level}"))
            x = pool(maps[-1], 2, f"pool{level}")
            pooled.append(x)
        x = spec.bottleneck(x)
        for level in range(depth, 0, -1):
            merged, distances = [upsample(x, 2, f"up{level}"), maps[level - 1]], [0, 0]
            others = [*range(level - 1, 0, -1), *range(level + 1, depth + 1)] if self.levels == "all" else []
            for other in others:
                distances.append(abs(other - level))
                name = f"decoder{level}_from{other}"
                if other < level:
                    merged.append(pool(pooled[other - 1], 2 ** (distances[-1] - 1), name))
                else:
                    merged.append(upsample(maps[other - 1], 2 ** distances[-1], name))
            x = self._join(merged, distances, filters[level - 1], f"merge{level}")
            x = block(x, filters[level - 1], name=f"decoder{level}")
        return keras.Model(inputs, logits_head(x, spec, 2**depth), name="dense")

    def _join(self, maps: list[Any], distances: list[int], filters: int, name: str) -> Any:
        from keras import layers

        from .custom_layers import LearnedScale

        if self.combine == "concat":
            return layers.Concatenate(name=name)(maps)
        joined = []
        for i, (x, distance) in enumerate(zip(maps, distances, strict=True), start=1):
            if self.combine == "weighted" and self.weights == "learned":
                joined.append(LearnedScale(name=f"{name}_weight{i}")(x))
            elif self.combine == "weighted":
                factor = self.weights[min(distance, len(self.weights) - 1)]
                joined.append(layers.Rescaling(factor, name=f"{name}_weight{i}")(x))
            else:
                same = x.shape[-1] == filters
                joined.append(x if same else layers.Conv2D(filters, 1, name=f"{name}_project{i}")(x))
        join = {"weighted": layers.Concatenate, "add": layers.Add, "multiply": layers.Multiply}[self.combine]
        return join(name=name)(joined)
