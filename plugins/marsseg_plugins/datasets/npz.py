"""The course's file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from marsseg_core.components import Dataset
from marsseg_core.parameters import param

from .mars import IGNORED, MARS_CLASSES

if TYPE_CHECKING:
    from marsseg_core.data.arrays import SegmentationData


@dataclass(frozen=True)
class Npz(Dataset):
    """An .npz file in the course's layout (`mars_for_students.npz`), or in one like it.

    It holds `training_set` (N, 2, H, W), image and mask of each item, or else `images` (N, H, W) or (N, H, W, C) and
    `masks` (N, H, W). Numbers may be integers or floats: images 0 to 255, masks whole class ids, or 255 for void.
    `training_groups` (N,) integers, where present, keeps the items of a place together in any split. `test_set`
    (M, H, W), images without labels, is left alone.

    The file is read in pieces; memory holds the data as uint8. Nothing in it is ever unpickled.
    """

    path: str = param(help="the file")
    classes: tuple[str, ...] = param(MARS_CLASSES, help="names of the classes 0, 1, …")
    ignored: tuple[int, ...] | None = param(IGNORED, help="classes that count in no loss and no score", minimum=0)
    limit: int | None = param(None, help="keep only this many items, evenly spread over the file", minimum=1)

    @classmethod
    def recognises(cls, path: Path) -> bool:
        return path.suffix == ".npz"

    def load(self) -> SegmentationData:
        import numpy as np

        from marsseg_core.data.arrays import SegmentationData

        from .archive import NpzArchive

        with NpzArchive(Path(self.path)) as archive:
            images, masks = archive.read_labelled()
            groups = archive.read_groups(len(images))
        if self.limit is not None and self.limit < len(images):
            kept = np.arange(self.limit) * len(images) // self.limit
            images, masks, groups = images[kept], masks[kept], groups[kept] if groups is not None else None
        source = f"npz:{Path(self.path).name}"
        return SegmentationData(images, masks, self.classes, self.ignored or (), groups=groups, source=source)
