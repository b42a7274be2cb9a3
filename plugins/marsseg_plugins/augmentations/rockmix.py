"""RockMix: CutMix centred on the rarest class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from marsseg_core.plugin_api import Augmentation, Transform, param

if TYPE_CHECKING:
    import numpy as np

    from marsseg_core.plugin_api import SegmentationData


@dataclass(frozen=True)
class RockMix(Augmentation):
    """RockMix: CutMix centred on the rarest class (big rock on Mars).

    The rarest class is the one that occurs in the fewest training images. RockMix works as `cutmix`, but the other
    image is always one with this class, and the centre of the rectangle is a pixel of this class. If no training image
    has a label, RockMix does nothing.

    The best public solutions for the data of the course paste rocks in this way.
    """

    smallest: float = param(0.02, help="smallest share of the image's area that is pasted", minimum=0, maximum=1)
    largest: float = param(0.25, help="largest share of the image's area that is pasted", minimum=0, maximum=1)

    def __post_init__(self) -> None:
        if self.smallest > self.largest:
            raise ValueError(f"smallest={self.smallest:g} is above largest={self.largest:g}")

    def prepare(self, data: SegmentationData, items: np.ndarray) -> Transform:
        import numpy as np

        from marsseg_core.plugin_api import rarest_items

        from .pasting import paste_from

        rarest, donors = rarest_items(data, items)
        if rarest is None:
            return lambda images, masks, generators: (images, masks)

        def on_rock(mask: np.ndarray, generator: np.random.Generator) -> tuple[int, int]:
            place = generator.choice(np.flatnonzero(mask == rarest))
            row, column = np.unravel_index(place, mask.shape)
            return int(row), int(column)

        return paste_from(data, donors, (self.smallest, self.largest), on_rock)
