"""SegFormer-B0 of segmentation_models.pytorch, which has the authors' encoder, with all its channels."""

from __future__ import annotations

from collections.abc import Iterator

import keras
from agreement import Case, Source
from filling import Fill, fill, from_torch, split_attention

from marsseg_core.components.interfaces import NetworkSpec
from marsseg_plugins.architectures.segformer import SegFormer

SOURCE = Source("github.com/qubvel-org/segmentation_models.pytorch", "v0.6.0", "a port")


def network() -> keras.Model:
    return fill(SegFormer(epsilon=1e-5).build(NetworkSpec(64, 128, 3, 5)), in_their_order())


def in_their_order() -> Iterator[tuple[str, Fill]]:
    stages = [f"encoder_stage{number}" for number in (1, 2, 3, 4)]
    for stage in stages:
        yield from ((f"{stage}_patches_{part}", from_torch) for part in ("conv", "norm"))
    for stage in stages:
        for block in (f"{stage}_block1", f"{stage}_block2"):
            yield f"{block}_norm1", from_torch
            yield f"{block}_attention", split_attention
            if stage != "encoder_stage4":
                yield from ((f"{block}_attention_reduce_{part}", from_torch) for part in ("conv", "norm"))
            yield f"{block}_norm2", from_torch
            yield from ((f"{block}_mlp_{part}", from_torch) for part in ("dense1", "depthwise", "dense2"))
        yield f"{stage}_norm", from_torch
    yield from ((f"decoder{level}_dense", from_torch) for level in (5, 4, 3, 2))
    yield from ((name, from_torch) for name in ("fuse_conv", "fuse_norm", "logits"))


CASES = [Case("segformer", "B0, 64×128", SOURCE, "segformer", "64x128", network, every=(3, 3, 1))]
