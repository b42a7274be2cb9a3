"""U-Net as the authors of U-Net++ have it in their Keras code, with all its filters."""

from __future__ import annotations

from collections.abc import Iterator

import keras
from agreement import Case, Source
from filling import Fill, fill, from_keras

from marsseg_core.components.interfaces import NetworkSpec
from marsseg_plugins.architectures.unet import UNet

SOURCE = Source("github.com/MrGiovanni/UNetPlusPlus", "2659ddc")


def network() -> keras.Model:
    component = UNet(upsampling="transposed", normalisation="none")
    return fill(component.build(NetworkSpec(32, 48, 1, 2)), in_their_order())


def in_their_order() -> Iterator[tuple[str, Fill]]:
    for block in ("encoder1", "encoder2", "encoder3", "encoder4", "bottom"):
        yield from ((f"{block}_conv{i}", from_keras) for i in (1, 2))
    for level in (4, 3, 2, 1):
        yield from ((name, from_keras) for name in (f"up{level}", f"decoder{level}_conv1", f"decoder{level}_conv2"))
    yield "logits", from_keras


CASES = [Case("unet", "32 to 512 filters, no normalisation", SOURCE, "unet", "plain", network, every=(2, 2, 1))]
