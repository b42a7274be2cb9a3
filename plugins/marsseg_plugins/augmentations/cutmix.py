"""The augmentation `cutmix`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from marsseg_core.plugin_api import Augmentation, Transform, param

if TYPE_CHECKING:
    import numpy as np

    from marsseg_core.plugin_api import SegmentationData


@dataclass(frozen=True)
class CutMix(Augmentation):
    """CutMix: paste a rectangle of another training image, with its labels.

    The centre of the rectangle is drawn uniformly. The rectangle has the proportions of the image, and its share of the
    area is drawn from `smallest` to `largest`. It is pasted at the place that it has in the other image; parts outside
    of the image are cut off.

    Yun and others, arXiv 1905.04899, who use it for classification.
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
