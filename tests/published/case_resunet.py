"""ResUNet of a well-known Keras port, with all its filters; no code of its authors is known."""

from __future__ import annotations

from collections.abc import Iterator

import keras
from agreement import Case, Source
from filling import Fill, fill, from_keras

from marsseg_core.components.interfaces import NetworkSpec
from marsseg_plugins.architectures.resunet import ResUNet

SOURCE = Source("github.com/DuFanXin/deep_residual_unet", "2b90426", "a port")


def network() -> keras.Model:
    return fill(ResUNet().build(NetworkSpec(32, 48, 3, 1)), in_their_order())


def in_their_order() -> Iterator[tuple[str, Fill]]:
    stem = ("conv1", "pre2_norm", "conv2", "shortcut", "shortcut_norm")
    yield from ((f"encoder1_{part}", from_keras) for part in stem)
    for unit in ("encoder2", "encoder3", "bridge", "decoder3", "decoder2", "decoder1"):
        yield from ((f"{unit}_{part}", from_keras) for part in ("pre1_norm", *stem))
    yield "logits", from_keras


CASES = [Case("resunet", "64 to 512 filters", SOURCE, "resunet", "plain", network, every=(2, 2, 1))]
