"""TransUNet against what the authors' code gives for the same weights (README.md says how it was recorded)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np
import pytest
from sines import assert_agrees, fill, image

from marsseg_core.components import NetworkSpec
from marsseg_plugins.architectures.transunet import TransUNet

RECORDED = np.load(Path(__file__).with_name("transunet.npz"))

# The authors' ConfigDict with these numbers; the decoder's first convolution has 512 filters in their code.
SMALL = {
    "units": (1, 2, 2),
    "filters": (32, 64, 128),
    "embedding": 32,
    "layers": 2,
    "heads": 4,
    "mlp": 64,
    "decoder": (256, 32, 16, 8),
    "epsilon": 1e-5,
}


def in_their_order(component: TransUNet, network: keras.Model) -> Iterator[str]:
    names = {layer.name for layer in network.layers}
    yield "positions"
    if component.encoder == "hybrid":
        yield from ("stem", "stem_norm")
        for stage, units in enumerate(component.units, start=1):
            for unit in range(1, units + 1):
                name = f"stage{stage}_unit{unit}"
                for i in (1, 2, 3):
                    yield from (f"{name}_conv{i}_norm", f"{name}_conv{i}")
                if f"{name}_shortcut" in names:
                    yield from (f"{name}_shortcut", f"{name}_shortcut_norm")
    yield "embed"
    for block in range(1, component.layers + 1):
        yield from (f"block{block}_{part}" for part in ("norm1", "norm2", "dense1", "dense2", "attention"))
    yield "encoded_norm"
    levels = range(1, len(component.decoder) + 1)
    for name in ("decoder", *(f"decoder{level}_conv{i}" for level in levels for i in (1, 2))):
        yield from (name, f"{name}_norm")
    yield "logits"


@pytest.mark.parametrize("case", RECORDED.files)
def test_equal_weights_give_the_authors_outputs(case):
    encoder, height, width = case.replace("x", "-").split("-")
    size = int(height), int(width)
    component = TransUNet(encoder=encoder, **SMALL)
    network = component.build(NetworkSpec(*size, 3, 3))
    fill(network, in_their_order(component, network))
    found = keras.ops.convert_to_numpy(network(image(1, *size, 3), training=False))
    assert_agrees(found[:, ::3, ::3], RECORDED[case])
