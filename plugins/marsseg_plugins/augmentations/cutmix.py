"""CutMix."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from marsseg_core.plugin_api import Augmentation, Transform, param

if TYPE_CHECKING:
    import numpy as np

    from marsseg_core.plugin_api import SegmentationData


@dataclass(frozen=True)
class CutMix(Augmentation):
    """CutMix: a rectangle of another training image is pasted in, with its labels.

    It is taken about a point drawn evenly, has the image's proportions and a share of its area drawn from `smallest`
    to `largest`, and comes to the same place; what lies outside is cut off.

    Yun and others, arXiv 1905.04899; there for classification.
    """

    smallest: float = param(0.05, help="smallest share of the image's area that is pasted", minimum=0, maximum=1)
    largest: float = param(0.5, help="largest share of the image's area that is pasted", minimum=0, maximum=1)

    def __post_init__(self) -> None:
        if self.smallest > self.largest:
            raise ValueError(f"smallest={self.smallest:g} is above largest={self.largest:g}")

    def prepare(self, data: SegmentationData, items: np.ndarray) -> Transform:
        from .pasting import paste_from

        def anywhere(mask: np.ndarray, generator: np.random.Generator) -> tuple[int, int]:
            return int(generator.integers(mask.shape[0])), int(generator.integers(mask.shape[1]))

        return paste_from(data, items, (self.smallest, self.largest), anywhere)
