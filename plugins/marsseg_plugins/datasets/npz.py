"""The course's file."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from marsseg_core.components import Dataset
from marsseg_core.parameters import param

from .mars import IGNORED, MARS_CLASSES
from .values import PER_HELP, RANGE_HELP, RangePer, check_range

if TYPE_CHECKING:
    import numpy as np

    from marsseg_core.data.arrays import SegmentationData
    from marsseg_core.data.cache import Writer
    from marsseg_core.data.scaling import Scaling


@dataclass(frozen=True)
class Npz(Dataset):
    """An .npz file in the course's layout (`mars_for_students.npz`), or in one like it.

    It holds `training_set` (N, 2, H, W), image and mask of each item, or else `images` (N, H, W) or (N, H, W, C) and
    `masks` (N, H, W). Numbers may be integers or floats. Masks are whole class ids, or 255 for void. Of images `range`
    says which values are black and white; by `auto`, which looks at all labelled images, whole numbers up to 255 are as
    they are, higher ones have the smallest of 10, 12, 14 and 16 bits that holds them, floats from 0 to 1 are 0…1, and
    those up to 255 are as they are. All else is refused.
    `training_groups` (N,) integers, where present, keeps the items of a place together in any split, unless `groups`
    is none. `test_set`
    (M, H, W) or (M, H, W, C), images without labels, is what a prediction is made for.

    The file is read in pieces, once: its images and masks are kept in the cache as uint8. Nothing in it is ever
    unpickled.
    """

    path: str = param(help="the file")
    classes: tuple[str, ...] = param(MARS_CLASSES, help="names of the classes 0, 1, …", min_length=1)
    ignored: tuple[int, ...] | None = param(
        IGNORED, help="classes that count in no loss and no score", minimum=0, min_length=0
    )
    limit: int | None = param(None, help="keep only this many items, evenly spread over the file", minimum=1)
    groups: Literal["file", "none"] = param("file", help="what keeps items together in any split")
    range: str = param("auto", help=RANGE_HELP, absent="0..255")
    range_per: RangePer = param("set", help=PER_HELP)

    def __post_init__(self) -> None:
        check_range(self.range, self.range_per)

    @classmethod
    def recognises(cls, path: Path) -> bool:
        return path.suffix == ".npz"

    def load(self) -> SegmentationData:
        from marsseg_core.data.cache import Source
        from marsseg_core.data.prepared import prepared_data

        path = Path(self.path)
        options = {"dataset": "npz", "limit": self.limit, "range": [self.range, self.range_per]}
        source = Source(f"npz:{path.name}", [path], options | {"groups": self.groups})
        return prepared_data(source, self._prepare, class_names=self.classes, ignored=self.ignored or ())

    def unlabelled(self) -> np.ndarray | None:
        from marsseg_core.data.cache import Source
        from marsseg_core.data.conversion import Converter
        from marsseg_core.data.prepared import IMAGES, note_scaling, prepared_images
        from marsseg_core.data.ranges import Range

        from .archive import NpzArchive

        def prepare(writer: Writer) -> None:
            with NpzArchive(path) as archive:
                convert = Converter(archive.scaling(Range.parse(self.range, self.range_per), unlabelled=True))
                for items in archive.unlabelled(convert):
                    writer.append(IMAGES, items)
                note_scaling(writer, convert)

        path = Path(self.path)
        with NpzArchive(path) as archive:
            if not archive.has("test_set"):
                return None
        options = {"dataset": "npz test_set", "range": [self.range, self.range_per]}
        return prepared_images(Source(f"npz:{path.name}, test_set", [path], options), prepare)

    def reading(self, scaling: Scaling) -> Npz:
        if self.range != "auto":
            return self
        return replace(self, range=scaling.range_text, range_per=scaling.per)

    def _prepare(self, writer: Writer) -> None:
        import numpy as np

        from marsseg_core.data.conversion import Converter
        from marsseg_core.data.prepared import GROUPS, IMAGES, MASKS, note_scaling
        from marsseg_core.data.ranges import Range

        from .archive import NpzArchive

        names = {"image": IMAGES, "mask": MASKS}
        with NpzArchive(Path(self.path)) as archive:
            count = archive.count()
            kept = np.arange(count)
            if self.limit is not None and self.limit < count:
                kept = np.arange(self.limit) * count // self.limit
            convert = Converter(archive.scaling(Range.parse(self.range, self.range_per)))
            for start, what, items in archive.labelled(convert):
                chosen = kept[(kept >= start) & (kept < start + len(items))] - start
                writer.append(names[what], items[chosen])
                writer.progress(start + len(items), count)
            note_scaling(writer, convert)
            groups = archive.groups(count) if self.groups == "file" else None
        if groups is not None:
            writer.append(GROUPS, groups[kept])
