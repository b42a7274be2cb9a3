"""The data set `npz`: an .npz file in the layout of the course."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from marsseg_core.plugin_api import ITEM_LIMIT, VOID, Dataset, RequestError, counted, param

from .mars import MARS_CLASSES
from .values import BINARY_HELP, IGNORED_HELP, PER_HELP, RANGE_HELP, Ignored, RangePer, check_range

if TYPE_CHECKING:
    import numpy as np

    from marsseg_core.plugin_api import Scaling, SegmentationData, Writer

    from .npz_facts import NpzFacts


@dataclass(frozen=True)
class Npz(Dataset):
    """An .npz file in the course's layout (`mars_for_students.npz`) or a similar one.

    The file holds either `training_set` (N, 2, H, W), an image and a mask for each item, or `images` (N, H, W) or
    (N, H, W, C) and `masks` (N, H, W). Numbers may be integers or floats. Masks hold whole class ids, or 255 for void.

    `range` sets which values of the images are black and white. With `auto`, marsseg looks at all labelled images:
    whole numbers up to 255 stay as they are; higher ones are taken as 10, 12, 14 or 16 bits, the fewest that hold all
    values; floats from 0 to 1 are 0…1, and floats up to 255 stay as they are. Anything else is refused.

    If the file has `training_groups` (N,) integers, the items of a group stay in the same subset of any split, unless
    `groups` is none. `test_set` (M, H, W) or (M, H, W, C) holds images without labels.

    The file may also have `names` (N,) of the items, the `split` (N,) that they come with (train, validation, test or
    an empty string), `class_names` (K,), `class_colours` (K, 3), `class_ignored` (K,) and the `scaling` with which its
    values were written, as `marsseg data convert` writes them. Without class names, the classes are those of Mars
    terrain, and a class called background is ignored.

    The file is read once, in chunks, and its images and masks are stored in the cache as uint8. Nothing in it is ever
    unpickled.
    """

    path: str = param(help="the file")
    classes: Literal["file", "found", "mars"] | tuple[str, ...] = param(
        "file",
        help="names of the classes 0, 1, …; file: those that the file has, or else those of Mars terrain; found: those "
        "that the file has, or else the ids in the masks; mars: those of Mars terrain",
        min_length=1,
    )
    binary: bool = param(False, help=BINARY_HELP)
    ignore_classes: Ignored = param("background", help=IGNORED_HELP, minimum=0, min_length=0, absent=(0,))
    limit: int | None = param(
        None, help="use only this many items, evenly spread over the file", minimum=1, maximum=ITEM_LIMIT
    )
    groups: Literal["file", "none"] = param("file", help="which items stay in the same subset of any split")
    range: str = param("auto", help=RANGE_HELP, absent="0..255")
    range_per: RangePer = param("set", help=PER_HELP)

    def __post_init__(self) -> None:
        check_range(self.range, self.range_per)

    @classmethod
    def recognises(cls, path: Path) -> bool:
        return path.suffix.lower() == ".npz"

    @classmethod
    def explain(cls, path: Path) -> str:
        return "It looks for a file that ends in .npz."

    def load(self) -> SegmentationData:
        from marsseg_core.plugin_api import CacheSource, cached_data

        from .classes import ignored_classes
        from .npz_facts import read_facts

        path = Path(self.path)
        options = {
            "dataset": "npz",
            "limit": self.limit,
            "range": [self.range, self.range_per],
            "binary": self.binary,
            "groups": self.groups,
        }
        source = CacheSource(f"npz:{path.name}", [path], options)
        source.key()  # says what is wrong with a file that cannot be read at all
        facts = read_facts(path)
        names = self._class_names(facts)
        ignore_classes = ignored_classes(source.name, names, self.ignore_classes, facts.ignore_classes)

        def prepare(writer: Writer) -> None:
            self._prepare(writer, facts.scaling if self.range == "auto" else None, found=names is None)

        return cached_data(
            source, prepare, class_names=names, ignore_classes=ignore_classes, class_colours=facts.class_colours
        )

    def _class_names(self, facts: NpzFacts) -> tuple[str, ...] | None:
        """Return the names of the classes; None if the classes are the ids in the masks."""
        if self.classes == "found":
            return facts.class_names
        if self.classes == "file":
            return facts.class_names or MARS_CLASSES
        names = MARS_CLASSES if self.classes == "mars" else self.classes
        if facts.class_names is not None and len(names) != len(facts.class_names):
            given = counted(len(names), "class", "classes")
            what = f"`classes` names {given}, but the file has {len(facts.class_names)}."
            raise RequestError(what, where=self.path)
        return names

    def unlabelled(self) -> np.ndarray | None:
        from marsseg_core.plugin_api import IMAGES, CacheSource, Converter, Range, cached_images, note_scaling

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
        return cached_images(CacheSource(f"npz:{path.name}, test_set", [path], options), prepare)

    def with_scaling(self, scaling: Scaling) -> Npz:
        if self.range != "auto":
            return self
        from .npz_facts import read_facts
        from .values import is_scaled_already

        if is_scaled_already(self.path, read_facts(Path(self.path)).scaling, scaling):
            return self
        return replace(self, range=scaling.range_text, range_per=scaling.per)

    def _prepare(self, writer: Writer, earlier: Scaling | None, *, found: bool) -> None:
        """Write the arrays; `found` says that the classes are the ids in the masks."""
        import numpy as np

        from marsseg_core.plugin_api import (
            GROUPS,
            IMAGES,
            MASKS,
            SUBSET,
            Converter,
            Range,
            append_names,
            note_classes,
            note_scaling,
        )

        from .archive import NpzArchive
        from .npz_facts import item_names, item_subsets

        array_of = {"image": IMAGES, "mask": MASKS}
        with NpzArchive(Path(self.path)) as archive:
            count = archive.count()
            chosen = np.arange(count)
            if self.limit is not None and self.limit < count:
                chosen = np.arange(self.limit) * count // self.limit
            convert = Converter(archive.scaling(Range.parse(self.range, self.range_per)))
            highest = 1 if self.binary else -1
            for start, content, items in archive.labelled(convert, binary=self.binary):
                if content == "mask":
                    highest = max(highest, int(np.where(items == VOID, -1, items.astype(np.int16)).max()))
                here = chosen[(chosen >= start) & (chosen < start + len(items))] - start
                writer.append(array_of[content], items[here])
                writer.progress(start + len(items), count)
            note_scaling(writer, convert, earlier)
            groups = archive.groups(count) if self.groups == "file" else None
            names, subsets = item_names(archive, count), item_subsets(archive, count)
        if found:
            if highest < 0:
                raise RequestError(f"All pixels of all masks are void ({VOID}): there is no class.", where=self.path)
            note_classes(writer, highest + 1)
        if groups is not None:
            writer.append(GROUPS, groups[chosen])
        if names is not None:
            append_names(writer, [names[item] for item in chosen])
        if subsets is not None:
            writer.append(SUBSET, subsets[chosen])
