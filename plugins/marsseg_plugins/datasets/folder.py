"""Images and masks in two folders."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from marsseg_core.plugin_api import PIXEL_LIMIT, Dataset, param

from .mars import MARS_CLASSES
from .values import BINARY_HELP, EDGES_HELP, IGNORED_HELP, PER_HELP, RANGE_HELP, Edges, Ignored, RangePer, check_range

if TYPE_CHECKING:
    from marsseg_core.plugin_api import Scaling, SegmentationData, Writer

    from .class_file import ClassFile
    from .pairs import Pair


@dataclass(frozen=True)
class Folder(Dataset):
    """A folder with images/ and masks/: pictures of the same name but for the suffix.

    Images are PNG, JPEG or TIFF, grey or in colour. `range` says which of their values are black and white; by `auto`
    8 bits are 0 to 255, higher whole numbers have the smallest of 10, 12, 14 and 16 bits that holds all of the set,
    floats are 0 to 1 or 0 to 255, and all else is refused. Masks are PNG or TIFF with one channel of class ids, 255 for
    void. Both are turned as their EXIF orientation says.

    The classes are 0 to the highest id that the masks hold, and all count. A file classes.csv (or classes.txt) beside
    the two names the classes, one a line; with a colour each, `name,r,g,b`, masks may be palette or colour images.

    Pictures may lie in subfolders, the same in both: each is a
    place, whose items stay on one side of any split. The tiles of an image stay together anyway.
    """

    path: str = param(help="the folder")
    resize: Literal["none", "whole", "tiles"] = param(
        "none", help="how images come to one size: they have it, are resized whole, or are cut into tiles"
    )
    height: int | None = param(None, help="rows of an item, for whole and tiles", minimum=1)
    width: int | None = param(None, help="columns of an item, for whole and tiles", minimum=1)
    scale: float = param(1.0, help="images are resized by this before tiles are cut", above=0, maximum=16)
    edges: Edges = param("inward", help=EDGES_HELP, absent="pad")
    colour: Literal["as_is", "grey", "rgb"] = param("as_is", help="make all images grey, or all of three channels")
    classes: Literal["found", "mars"] | tuple[str, ...] | None = param(
        "found",
        help="names of the classes 0, 1, …; mars are those of Mars terrain; found are the class file's, or else the "
        "ids in the masks; none, of older plans, are the class file's, or else Mars",
        min_length=1,
        absent=None,
    )
    binary: bool = param(False, help=BINARY_HELP)
    ignore_classes: Ignored = param("background", help=IGNORED_HELP, minimum=0, min_length=0, absent="auto")
    groups: Literal["subfolders", "none"] = param("subfolders", help="what keeps items together in any split")
    unpaired: Literal["refuse", "skip"] = param("refuse", help="what to do about images and masks without the other")
    limit: int | None = param(None, help="keep only this many images, evenly spread", minimum=1)
    pixel_limit: int = param(PIXEL_LIMIT, help="images of more pixels are refused", minimum=1)
    range: str = param("auto", help=RANGE_HELP, absent="bits")
    range_per: RangePer = param("set", help=PER_HELP)
    orientation: Literal["shown", "stored"] = param(
        "shown", help="pictures as their EXIF orientation shows them, or as PNG and JPEG store them", absent="stored"
    )

    def __post_init__(self) -> None:
        check_range(self.range, self.range_per)
        sized = self.height is not None and self.width is not None
        if self.resize != "none" and not sized:
            raise ValueError(f"resize={self.resize} needs height and width")
        if self.resize == "none" and (self.height is not None or self.width is not None):
            raise ValueError("height and width need resize=whole or resize=tiles")
        if self.resize != "tiles" and self.scale != 1:
            raise ValueError("scale needs resize=tiles")

    @classmethod
    def recognises(cls, path: Path) -> bool:
        return (path / "images").is_dir() and (path / "masks").is_dir()

    def load(self) -> SegmentationData:
        from marsseg_core.plugin_api import (
            CacheSource,
            ImageReader,
            Range,
            cached_data,
            note_classes,
            note_remarks,
            note_scaling,
        )

        from .classes import ignored_classes
        from .pair_reader import PairReader
        from .pairs import write_pairs
        from .resizing import Resizing

        class_file, found = self._class_file()
        names = self._class_names(class_file)
        pairs = self._pairs()
        resizing = Resizing(self.resize, self.height or 0, self.width or 0, self.scale, self.edges)

        def prepare(writer: Writer) -> None:
            wanted = Range.parse(self.range, self.range_per)
            upright = self.orientation == "shown"
            picture = ImageReader([pair.image for pair in pairs], wanted, limit=self.pixel_limit, upright=upright)
            reader = PairReader(
                picture, names, class_file.palette if class_file else {}, self.binary, upright, self.pixel_limit
            )
            write_pairs(writer, pairs, reader, resizing, self.colour)
            note_scaling(writer, picture.converter)
            note_remarks(writer, picture.turning())
            if names is None:
                note_classes(writer, reader.classes(self.path))

        options = {
            "dataset": "folder",
            "resizing": [self.resize, self.height, self.width, self.scale, self.edges],
            "colour": self.colour,
            "groups": self.groups,
            "limit": self.limit,
            "range": [self.range, self.range_per],
            "binary": self.binary,
            "orientation": self.orientation,
        }
        files = [file for pair in pairs for file in (pair.image, pair.mask)]
        source = CacheSource(f"folder:{Path(self.path).resolve().name}", files + found, options)
        ignore_classes = ignored_classes(source.name, names, self.ignore_classes)
        return cached_data(source, prepare, class_names=names, ignore_classes=ignore_classes)

    def with_scaling(self, scaling: Scaling) -> Folder:
        if self.range != "auto":
            return self
        return replace(self, range=scaling.range_text, range_per=scaling.per)

    def _class_file(self) -> tuple[ClassFile | None, list[Path]]:
        """What the class file says, and the file, if there is one."""
        from marsseg_core.plugin_api import refuse_file

        from .class_file import FILE_NAMES, read_class_file

        found = [path for name in FILE_NAMES if (path := Path(self.path) / name).is_file()]
        if len(found) > 1:
            refuse_file(self.path, f"There are two class files, {' and '.join(FILE_NAMES)}.")
        return (read_class_file(found[0]) if found else None), found

    def _class_names(self, class_file: ClassFile | None) -> tuple[str, ...] | None:
        """The names of the classes; None where they are those that the masks hold."""
        from marsseg_core.plugin_api import refuse_file

        if self.classes == "found":
            return None if class_file is None else class_file.names
        if self.classes is None:
            return MARS_CLASSES if class_file is None else class_file.names
        given = MARS_CLASSES if self.classes == "mars" else self.classes
        if class_file is not None and len(given) != len(class_file.names):
            refuse_file(self.path, f"{len(given)} classes are given, and the class file has {len(class_file.names)}.")
        return given

    def _pairs(self) -> list[Pair]:
        from marsseg_core.plugin_api import refuse_file

        from .pairs import Pair, report_unpaired, some, spread

        images, masks = self._by_stem("images"), self._by_stem("masks")
        lonely = {
            "image has no mask": [images[stem] for stem in images if stem not in masks],
            "mask has no image": [masks[stem] for stem in masks if stem not in images],
        }
        faults = []
        for what, paths in lonely.items():
            if paths:
                plural = what.replace(" has", "s have") if len(paths) > 1 else what
                names = some([str(path.relative_to(self.path)) for path in paths])
                faults.append(f"{len(paths):,} {plural}: {names}.")
        report_unpaired(faults, self.unpaired, Path(self.path))
        stems = [stem for stem in images if stem in masks]
        if not stems:
            refuse_file(self.path, "There are no images with masks in this folder.")
        places = self._places(stems)
        return spread([Pair(images[s], masks[s], place) for s, place in zip(stems, places, strict=True)], self.limit)

    def _by_stem(self, name: str) -> dict[str, Path]:
        """The pictures in a folder, by their path in it without the suffix."""
        from marsseg_core.plugin_api import refuse_file

        from .pairs import pictures_in

        found: dict[str, Path] = {}
        for path in pictures_in(Path(self.path) / name, recursive=True):
            stem = path.relative_to(Path(self.path) / name).with_suffix("").as_posix()
            if stem in found:
                refuse_file(path, f"There is also {found[stem].name}: which of them is meant?")
            found[stem] = path
        return found

    def _places(self, stems: list[str]) -> list[int | None]:
        """A number for each subfolder; what lies in none is a place of its own."""
        keys = [stem.partition("/")[0] if "/" in stem else f"/{stem}" for stem in stems]
        if self.groups == "none" or not any("/" in stem for stem in stems):
            return [None] * len(stems)
        numbers = {key: number for number, key in enumerate(sorted(set(keys)))}
        return [numbers[key] for key in keys]
