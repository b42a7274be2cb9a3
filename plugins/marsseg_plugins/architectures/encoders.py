"""What architectures that take an encoder share."""

from __future__ import annotations

from typing import Any, Final

from marsseg_core.plugin_api import NetworkSpec

ENCODER_MULTIPLE: Final = 32
"""Give the number of which the sides of an encoder's images must be multiples."""


def encoder_levels(spec: NetworkSpec, images: Any) -> tuple[list[Any | None], Any]:
    """Apply the plan's encoder, and return its maps as the levels of a U-Net.

    Args:
        spec: the network, with an encoder
        images: the padded images (B, H, W, C)

    Returns:
        The map of each level at the strides 1, 2, 4, …, finest first, and the coarsest map of the encoder, which is
        twice smaller than the last level. A level that the encoder has no map for is None.
    """
    maps = spec.encode(images)
    strides = [2**level for level in range(max(maps).bit_length() - 1)]
    return [maps.get(stride) for stride in strides], maps[max(maps)]
