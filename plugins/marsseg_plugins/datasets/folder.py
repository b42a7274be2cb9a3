"""The data set `folder`: images and masks in two folders."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from marsseg_core.plugin_api import ITEM_LIMIT, PIXEL_LIMIT, Dataset, param

from .mars import MARS_CLASSES
from .values import (
    BINARY_HELP,
    EDGES_HELP,
    IGNORED_HELP,
    PALETTE_HELP,
    PER_HELP,
    RANGE_HELP,
    Edges,
    Ignored,
    PaletteMeaning,
    RangePer,
    check_range,
)

if TYPE_CHECKING:
    from marsseg_core.plugin_api import Scaling, SegmentationData, Writer

    from .class_file import ClassFile
    from .pairs import Pair


@dataclass(frozen=True)
class Folder(Dataset):
    """A folder with images/ and masks/, whose files have the same names except for the suffix.

    Images are PNG, JPEG, TIFF, BMP, WebP or GIF, grey or in colour. `range` sets which of their values are black and
    white. With `auto`, 8 bits are 0 to 255; higher whole numbers are taken as 10, 12, 14 or 16 bits, the fewest that
    hold all values of the set; floats are 0 to 1 or 0 to 255; anything else is refused. Masks are stored without loss,
    with one channel of class ids, 255 for void. Images and masks are turned by their EXIF orientation.

    The classes are 0 to the highest id in the masks, and all of them count. A file classes.csv (or classes.txt) next to
    the two folders names the classes, one per line. If each line also has a colour, `name,r,g,b`, masks may be palette
    or colour images. With `palette=indices`, the indices of palette images are the ids, as in PASCAL VOC.

    The files may be in subfolders, the same ones in both folders. Each subfolder of images/, with the folders inside
    it, is a place, and the items of a place stay in the same subset of any split. The tiles of an image always stay
    together. A table items.csv next to the two folders gives items other names, groups and a split.
    """

    path: str = param(help="the folder")
    resize: Literal["none", "whole", "tiles"] = param(
        "none", help="how images get one size: none if they have it already, resized whole, or cut into tiles"
    )
    height: int | None = param(
        None, help="rows of an item, for resize=whole and resize=tiles", minimum=1, maximum=10_000
    )
    width: int | None = param(
        None, help="columns of an item, for resize=whole and resize=tiles", minimum=1, maximum=10_000
    )
    scale: float = param(1.0, help="factor by which images are resized before tiles are cut", above=0, maximum=16)
    edges: Edges = param("inward", help=EDGES_HELP, absent="pad")
    colour: Literal["as_is", "grey", "rgb"] = param(
        "as_is", help="as_is, or convert all images to grey or to three channels"
    )
    classes: Literal["found", "mars"] | tuple[str, ...] | None = param(
        "found",
        help="names of the classes 0, 1, …; found: those of the class file, or else the ids in the masks; mars: those "
        "of Mars terrain; none (in older plans): those of the class file, or else of Mars terrain",
        min_length=1,
        absent=None,
    )
    palette: PaletteMeaning = param("colours", help=PALETTE_HELP)
    binary: bool = param(False, help=BINARY_HELP)
    ignore_classes: Ignored = param("background", help=IGNORED_HELP, minimum=0, min_length=0, absent="auto")
    groups: Literal["subfolders", "none"] = param(
        "subfolders",
        help="which items stay in the same subset of any split: those of a subfolder, or as items.csv says",
    )
    unpaired: Literal["refuse", "skip"] = param(
        "refuse", help="what to do with images without a mask and masks without an image"
    )
    limit: int | None = param(None, help="use only this many images, evenly spread", minimum=1, maximum=ITEM_LIMIT)
    pixel_limit: int = param(PIXEL_LIMIT, help="images with more pixels are refused", minimum=1)
    range: str = param("auto", help=RANGE_HELP, absent="bits")
    range_per: RangePer = param("set", help=PER_HELP)
    orientation: Literal["shown", "stored"] = param(
        "shown", help="turn images by their EXIF orientation, or read PNG and JPEG as they are stored", absent="stored"
    )

    def __post_init__(self) -> None:
        check_range(self.range, self.range_per)
        if self.resize != "none" and (self.height is None or self.width is None):
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
            FACT_FILE,
            ITEM_FILE,
            CacheSource,
            ImageReader,
            Range,
            cached_data,
            note_classes,
            note_scaling,
            note_warnings,
            read_folder_facts,
        )

        from .classes import ignored_classes
        from .pair_reader import PairReader
        from .pairs import write_pairs
        from .resizing import Resizing
        from .values import refuse_other_values

        class_file, class_files = self._class_file()
        names = self._class_names(class_file)
        pairs, facts = self._pairs(), read_folder_facts(Path(self.path))
        earlier = facts.scaling if self.range == "auto" else None
        resizing = Resizing(self.resize, self.height or 0, self.width or 0, self.scale, self.edges)

        def prepare(writer: Writer) -> None:
            value_range = Range.parse(self.range, self.range_per)
            upright = self.orientation == "shown"
            picture = ImageReader([pair.image for pair in pairs], value_range, limit=self.pixel_limit, upright=upright)
            reader = PairReader(
                picture,
                names,
                class_file.palette if class_file else {},
                self.binary,
                upright,
                self.pixel_limit,
                indices=self.palette == "indices",
            )
            write_pairs(writer, pairs, reader, resizing, self.colour)
            refuse_other_values(self.path, earlier, picture.converter.kept)
            note_scaling(writer, picture.converter, earlier)
            note_warnings(writer, picture.turning())
            if names is None:
                note_classes(writer, reader.classes(self.path))

        options = {
            "dataset": "folder",
            "resizing": [self.resize, self.height, self.width, self.scale, self.edges],
            "colour": self.colour,
            "groups": self.groups,
            "limit": self.limit,
            "range": [self.range, self.range_per],
            "palette": self.palette,
            "binary": self.binary,
            "orientation": self.orientation,
        }
        files = [file for pair in pairs for file in (pair.image, pair.mask)]
        files += [path for name in (ITEM_FILE, FACT_FILE) if (path := Path(self.path) / name).is_file()]
        source = CacheSource(f"folder:{Path(self.path).resolve().name}", files + class_files, options)
        ignore_classes = ignored_classes(source.name, names, self.ignore_classes, facts.ignore_classes)
        colours = class_file.colours if class_file else None
        return cached_data(source, prepare, class_names=names, ignore_classes=ignore_classes, class_colours=colours)

    def with_scaling(self, scaling: Scaling) -> Folder:
        from marsseg_core.plugin_api import read_folder_facts

        from .values import is_scaled_already

        earlier = read_folder_facts(Path(self.path)).scaling if self.range == "auto" else None
        if self.range != "auto" or is_scaled_already(self.path, earlier, scaling):
            return self
        return replace(self, range=scaling.range_text, range_per=scaling.per)

    def _class_file(self) -> tuple[ClassFile | None, list[Path]]:
        """Return the content of the class file, or None, and a list of its path, which may be empty."""
        from marsseg_core.plugin_api import refuse_file

        from .class_file import FILE_NAMES, read_class_file

        paths = [path for name in FILE_NAMES if (path := Path(self.path) / name).is_file()]
        if len(paths) > 1:
            refuse_file(self.path, f"There are two class files, {' and '.join(FILE_NAMES)}.")
        return (read_class_file(paths[0]) if paths else None), paths

    def _class_names(self, class_file: ClassFile | None) -> tuple[str, ...] | None:
        """Return the names of the classes; None if the classes are the ids in the masks."""
        from marsseg_core.plugin_api import refuse_file

        if self.classes == "found":
            return None if class_file is None else class_file.names
        if self.classes is None:
            return MARS_CLASSES if class_file is None else class_file.names
        names = MARS_CLASSES if self.classes == "mars" else self.classes
        if class_file is not None and len(names) != len(class_file.names):
            refuse_file(
                self.path, f"classes names {len(names)} classes, but the class file has {len(class_file.names)}."
            )
        return names

    def _pairs(self) -> list[Pair]:
        from marsseg_core.plugin_api import refuse_file

        from .item_table import apply_item_table
        from .pairs import report_unpaired, some, spread

        images, masks = self._by_stem("images"), self._by_stem("masks")
        unpaired = {
            "image has no mask": [images[stem] for stem in images if stem not in masks],
            "mask has no image": [masks[stem] for stem in masks if stem not in images],
        }
        faults = []
        for fault, paths in unpaired.items():
            if paths:
                plural = fault.replace(" has", "s have") if len(paths) > 1 else fault
                names = some([str(path.relative_to(self.path)) for path in paths])
                faults.append(f"{len(paths):,} {plural}: {names}.")
        report_unpaired(faults, self.unpaired, Path(self.path))
        stems = [stem for stem in images if stem in masks]
        if not stems:
            refuse_file(self.path, "There are no images with masks in this folder.")
        pairs = [self._pair(images[s], masks[s], place) for s, place in zip(stems, self._places(stems), strict=True)]
        groups = self.groups != "none"
        return spread(apply_item_table(Path(self.path), pairs, groups=groups, unpaired=self.unpaired), self.limit)

    def _pair(self, image: Path, mask: Path, place: int | None) -> Pair:
        from .pairs import Pair

        return Pair(image, mask, image.relative_to(Path(self.path) / "images").as_posix(), place)

    def _by_stem(self, name: str) -> dict[str, Path]:
        """Return the image files in a folder, by their path inside it without the suffix."""
        from marsseg_core.plugin_api import refuse_file

        from .pairs import pictures_in

        files: dict[str, Path] = {}
        for path in pictures_in(Path(self.path) / name, recursive=True):
            stem = path.relative_to(Path(self.path) / name).with_suffix("").as_posix()
            if stem in files:
                refuse_file(
                    path, f"There is also {files[stem].name}: which of them is meant?", hint="Remove one of them."
                )
            files[stem] = path
        return files

    def _places(self, stems: list[str]) -> list[int | None]:
        """Return the group of each item: a number for each subfolder; a file outside of all is a group of its own."""
        keys = [stem.partition("/")[0] if "/" in stem else f"/{stem}" for stem in stems]
        if self.groups == "none" or not any("/" in stem for stem in stems):
            return [None] * len(stems)
        numbers = {key: number for number, key in enumerate(sorted(set(keys)))}
        return [numbers[key] for key in keys]
