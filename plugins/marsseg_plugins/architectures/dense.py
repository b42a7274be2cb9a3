"""The report's Dense U-Net."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from marsseg_core.plugin_api import NetworkSpec, param

from .convolutional import ConvolutionalArchitecture

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class DenseUNet(ConvolutionalArchitecture):
    """Dense U-Net: every decoder level sees every encoder level (the report's best network).

    Wiring: encoder blocks, each followed by 2×2 max-pooling; the bottlenecks work on the last pooled map, there is
    no block of convolutions below. Each decoder level concatenates the upsampled map from below with *all* encoder
    levels brought to its size, then a block: its own level as it is, finer levels from their pooled maps, pooled
    further; coarser ones from their maps before pooling, upsampled by nearest neighbour.

    - `combine` is one of the report's ways to join the maps: concatenated; concatenated, each map times a weight of
      its own, fixed or learned; added or multiplied, each map brought to the level's filters by a 1×1 convolution
      unless it has them.
    - `levels=own` leaves each decoder level its own encoder level only: a U-Net without a bottom block.

    The report: 32 to 256 filters with the transformer and ASPP bottlenecks: 20,323,914 parameters, 20,320,074 of
    them trainable (64×128×1, 5 classes; `marsseg show report`). Validation mean IoU 70.76, on Kaggle 70.633.
    """

    filters: tuple[int, ...] = param(
        (32, 64, 128, 256), help="filters of each encoder level, finest first", minimum=1, min_length=1
    )
    depth: int | None = param(None, help="encoder levels; more than there are filters go on by doubling", minimum=1)
    levels: Literal["all", "own"] = param("all", help="the encoder levels that each decoder level sees")
    combine: Literal["concat", "weighted", "add", "multiply"] = param(
        "concat", help="how a decoder level joins its maps"
    )
    weights: tuple[float, ...] | Literal["learned"] = param(
        "learned",
        help="combine=weighted: factors by distance from the own level, the last for all further ones",
        min_length=1,
    )

    layer_modules: ClassVar[tuple[str, ...]] = ("marsseg_plugins.architectures.custom_layers",)

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
                fits = x.shape[-1] == filters
                joined.append(x if fits else layers.Conv2D(filters, 1, name=f"{name}_project{i}")(x))
        join = {"weighted": layers.Concatenate, "add": layers.Add, "multiply": layers.Multiply}[self.combine]
        return join(name=name)(joined)
