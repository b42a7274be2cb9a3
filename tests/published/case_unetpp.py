"""U-Net++ of the authors' Keras code, with all its filters and deep supervision."""

from __future__ import annotations

from collections.abc import Iterator

import keras
from agreement import Case, Source
from filling import Fill, fill, from_keras, move_first_inputs_last

from marsseg_core.components.interfaces import NetworkSpec
from marsseg_plugins.architectures.unetpp import UNetPlusPlus

SOURCE = Source("github.com/MrGiovanni/UNetPlusPlus", "2659ddc")
ROWS = 5


def network() -> keras.Model:
    component = UNetPlusPlus(normalisation="none", deep_supervision=True)
    network = fill(component.build(NetworkSpec(32, 48, 1, 2)), in_their_order())
    for column in range(1, ROWS):
        for row in range(ROWS - column):
            move_first_inputs_last(network.get_layer(f"x{row}.{column}_conv1"), component.filters[row])
    return network


def in_their_order() -> Iterator[tuple[str, Fill]]:
    # Along the diagonals: 0.0, 1.0, 0.1, 2.0, 1.1, 0.2 and so on.
    for diagonal in range(ROWS):
        for column in range(diagonal + 1):
            name = f"x{diagonal - column}.{column}"
            if column:
                yield f"{name}_up", from_keras
            yield from ((f"{name}_conv{i}", from_keras) for i in (1, 2))
    yield from ((head, from_keras) for head in HEADS)


HEADS = ("aux_4", "aux_3", "aux_2", "logits")

CASES = [
    Case("unetpp", "deep supervision, no normalisation", SOURCE, "unetpp", "deep", network, HEADS, every=(2, 2, 1))
]
