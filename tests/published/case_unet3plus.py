"""UNet 3+ of the authors' three files, with all its filters: plain, with deep supervision, and guided too."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import keras
from agreement import Case, Source
from filling import fill

from marsseg_core.components.interfaces import NetworkSpec
from marsseg_plugins.architectures.unet3plus import UNet3Plus

SOURCE = Source("github.com/ZJUGiveLab/UNet-Version", "8ecd067")
HEADS = ("logits", "aux_2", "aux_3", "aux_4", "aux_5")


def plain() -> keras.Model:
    component = UNet3Plus(epsilon=1e-5)
    return fill(component.build(NetworkSpec(32, 48, 3, 2)), in_their_order("logits"))


def deep() -> keras.Model:
    component = UNet3Plus(epsilon=1e-5, deep_supervision=True)
    return fill(component.build(NetworkSpec(32, 48, 3, 2)), in_their_order(*HEADS))


def guided() -> keras.Model:
    component = UNet3Plus(epsilon=1e-5, deep_supervision=True, guided=True, presence="pair")
    network = fill(component.build(NetworkSpec(32, 48, 3, 3)), in_their_order(*HEADS, "presence_conv"))
    classifier = network.get_layer("presence_conv")
    # Theirs takes the larger of the two, the gate here is soft: with numbers a thousand times larger it is as hard.
    for weight in classifier.weights:
        weight.assign(1000 * weight)
    return network


def in_their_order(*heads: str) -> Iterator[str]:
    for level in range(1, 6):
        for i in (1, 2):
            yield from (f"encoder{level}_conv{i}", f"encoder{level}_conv{i}_norm")
    for level in (4, 3, 2, 1):
        for name in (*(f"decoder{level}_from{other}" for other in range(1, 6)), f"decoder{level}"):
            yield from (f"{name}_conv1", f"{name}_conv1_norm")
    yield from heads


def case(what: str, key: str, make: Callable[[], keras.Model], heads: tuple[str, ...] = ()) -> Case:
    return Case("unet3plus", what, SOURCE, "unet3plus", key, make, heads, every=(3, 3, 1))


CASES = [
    case("plain", "plain", plain),
    case("deep supervision", "deep", deep, HEADS),
    case("deep supervision, guided by the pair (its weights × 1000)", "guided", guided, HEADS),
]
