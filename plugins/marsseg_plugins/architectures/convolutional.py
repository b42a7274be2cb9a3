"""The base class of the architectures that are built from plain convolution blocks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from marsseg_core.plugin_api import Architecture, param

from ..limits import MOST_BLOCKS, MOST_WIDTH


@dataclass(frozen=True, kw_only=True)
class ConvolutionalArchitecture(Architecture):
    """An architecture whose blocks are 3×3 convolutions, each with normalisation and ReLU."""

    width: float = param(1.0, help="factor for all numbers of filters", above=0, maximum=MOST_WIDTH)
    convolutions: int = param(2, help="number of 3×3 convolutions in each block", minimum=1, maximum=MOST_BLOCKS)
    normalisation: Literal["batch", "group", "none"] = param("batch", help="normalisation after each convolution")
    momentum: float = param(0.9, help="momentum of the moving statistics of batch normalisation", minimum=0, maximum=1)
    epsilon: float = param(1e-3, help="number that normalisation adds to the variance", above=0)
    dropout: float = param(0.0, help="share of the features that is dropped after each block", minimum=0, maximum=0.95)

    def block(self) -> Callable[..., Any]:
        """Return `blocks.conv_block` with these parameters: a function (features, filters, name=…) → features."""
        from functools import partial

        from .blocks import conv_block

        return partial(conv_block, convolutions=self.convolutions, norm=self.norm(), dropout=self.dropout)

    def without_effect(self) -> dict[str, str]:
        idle = {"batch": (), "group": ("momentum",), "none": ("momentum", "epsilon")}[self.normalisation]
        return dict.fromkeys(idle, "normalisation")

    def norm(self) -> Callable[[Any, str], Any]:
        """Return `blocks.normalise` with these parameters: a function (features, name) → features."""
        from functools import partial

        from .blocks import normalise

        return partial(normalise, normalisation=self.normalisation, momentum=self.momentum, epsilon=self.epsilon)
