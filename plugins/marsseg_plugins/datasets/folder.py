"""Images and masks in two folders."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from marsseg_core.components import Dataset
from marsseg_core.data.limits import PIXEL_LIMIT
from marsseg_core.parameters import param

from .mars import MARS_CLASSES
from .values import PER_HELP, RANGE_HELP, RangePer, check_range

if TYPE_CHECKING:
    import numpy as np

    from marsseg_core.data.arrays import SegmentationData
    from marsseg_core.data.cache import Writer
    from marsseg_core.data.reading import PictureReader
    from marsseg_core.data.scaling import Scaling

    from .class_file import ClassFile
    from .pairs import Pair

BACKGROUND = "background"


@dataclass(frozen=True)
class Folder(Dataset):
    """A folder with images/ and masks/: pictures of the same name but for the suffix.

    Images are PNG, JPEG or TIFF, grey or in colour. `range` says which of their values are black and white; by `auto`
    8 bits are 0 to 255, higher whole numbers have the smallest of 10, 12, 14 and 16 bits that holds all of the set,
    floats are 0 to 1 or 0 to 255, and all else is refused. Masks are PNG or TIFF with one channel of class ids, 255 for
    void.
    A file classes.csv (or classes.txt) beside the two names the classes, one a line; with a colour each,
    `name,r,g,b`, masks may be palette or colour images. Pictures may lie in subfolders, the same in both: each is a
    place, whose items stay on one side of any split. The tiles of an image stay together anyway.
    """

    path: str = param(help="the folder")
    fit: Literal["as_is", "resize", "tiles"] = param(
        "as_is", help="how images come to one size: they have it, are resized, or are cut into tiles"
    )
    height: int | None = param(None, help="rows of an item, for resize and tiles", minimum=1)
    width: int | None = param(None, help="columns of an item, for resize and tiles", minimum=1)
    scale: float = param(1.0, help="images are resized by this before tiles are cut", above=0, maximum=16)
    colour: Literal["as_is", "grey", "rgb"] = param("as_is", help="make all images grey, or all of three channels")
    classes: tuple[str, ...] | None = param(
        None,
        help="names of the classes 0, 1, …; none means the class file's, or else those of Mars terrain",
        min_length=1,
    )
    ignored: Literal["auto"] | tuple[int, ...] | None = param(
        "auto",
        help="classes that count in no loss and no score; auto is the one called background, if any",
        minimum=0,
        min_length=0,
    )
    groups: Literal["subfolders", "none"] = param("subfolders", help="what keeps items together in any split")
    unpaired: Literal["refuse", "skip"] = param("refuse", help="what to do about images and masks without the other")
    limit: int | None = param(None, help="keep only this many images, evenly spread", minimum=1)
    pixel_limit: int = param(PIXEL_LIMIT, help="images of more pixels are refused", minimum=1)
    range: str = param("auto", help=RANGE_HELP, absent="bits")
    range_per: RangePer = param("set", help=PER_HELP)

    def __post_init__(self) -> None:
        check_range(self.range, self.range_per)
        sized = self.height is not None and self.width is not None
        if self.fit != "as_is" and not sized:
            raise ValueError(f"fit={self.fit} needs height and width")
        if self.fit == "as_is" and (self.height is not None or self.width is not None):
            raise ValueError("height and width need fit=resize or fit=tiles")
        if self.fit != "tiles" and self.scale != 1:
            raise ValueError("scale needs fit=tiles")

    @classmethod
    def recognises(cls, path: Path) -> bool:
        return (path / "images").is_dir() and (path / "masks").is_dir()

    def load(self) -> SegmentationData:
        from marsseg_core.data.cache import Source
        from marsseg_core.data.prepared import note_scaling, prepared_data
        from marsseg_core.data.ranges import Range
        from marsseg_core.data.reading import PictureReader

        from .fitting import Fitting
        from .pairs import write_pairs

        class_file, found = self._class_file()
        names = self._class_names(class_file)
        pairs = self._pairs()
        fitting = Fitting(self.fit, self.height or 0, self.width or 0, self.scale)

        def prepare(writer: Writer) -> None:
            wanted = Range.parse(self.range, self.range_per)
            picture = PictureReader([pair.image for pair in pairs], wanted, limit=self.pixel_limit)

            def read(pair: Pair) -> tuple[np.ndarray, np.ndarray]:
                return self._read(pair, picture, names, class_file.palette if class_file is not None else {})

            write_pairs(writer, pairs, read, fitting, self.colour)
            note_scaling(writer, picture.converter)

        options = {
            "dataset": "folder",
            "fitting": [self.fit, self.height, self.width, self.scale],
            "colour": self.colour,
            "groups": self.groups,
            "limit": self.limit,
            "range": [self.range, self.range_per],
        }
        files = [file for pair in pairs for file in (pair.image, pair.mask)]
        source = Source(f"folder:{Path(self.path).resolve().name}", files + found, options)
        ignored = self.ignored
        if ignored == "auto":
            ignored = (names.index(BACKGROUND),) if BACKGROUND in names else ()
        return prepared_data(source, prepare, class_names=names, ignored=ignored or ())

    def reading(self, scaling: Scaling) -> Folder:
        if self.range != "auto":
            return self
        return replace(self, range=scaling.range_text, range_per=scaling.per)

    def _read(
        self,
        pair: Pair,
        picture: PictureReader,
        names: tuple[str, ...],
        palette: Mapping[tuple[int, int, int], int],
    ) -> tuple[np.ndarray, np.ndarray]:
        from marsseg_core.data.pictures import read_mask, refuse

        from .pairs import check_ids

        image = picture(pair.image)
        mask = read_mask(pair.mask, limit=self.pixel_limit, palette=palette or None)
        if mask.shape != image.shape[:2]:
            sizes = [f"{rows} × {columns}" for rows, columns in (mask.shape, image.shape[:2])]
            refuse(pair.mask, f"The mask has {sizes[0]} pixels, its image {sizes[1]}.")
        check_ids(pair.mask, mask, names)
        return image, mask

    def _class_file(self) -> tuple[ClassFile | None, list[Path]]:
        """What the class file says, and the file, if there is one."""
        from marsseg_core.data.pictures import refuse

        from .class_file import FILE_NAMES, read_class_file

        found = [path for name in FILE_NAMES if (path := Path(self.path) / name).is_file()]
        if len(found) > 1:
            refuse(self.path, f"There are two class files, {' and '.join(FILE_NAMES)}.")
        return (read_class_file(found[0]) if found else None), found

    def _class_names(self, class_file: ClassFile | None) -> tuple[str, ...]:
        from marsseg_core.data.pictures import refuse

        given = self.classes
        if class_file is None:
            return MARS_CLASSES if given is None else given
        if given is not None and len(given) != len(class_file.names):
            refuse(self.path, f"{len(given)} classes are given, and the class file has {len(class_file.names)}.")
        return class_file.names if given is None else given

    def _pairs(self) -> list[Pair]:
        from marsseg_core.data.pictures import refuse

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
            refuse(self.path, "There are no images with masks in this folder.")
        places = self._places(stems)
        return spread([Pair(images[s], masks[s], place) for s, place in zip(stems, places, strict=True)], self.limit)

    def _by_stem(self, name: str) -> dict[str, Path]:
        """The pictures in a folder, by their path in it without the suffix."""
        from marsseg_core.data.pictures import refuse

        from .pairs import pictures_in

        found: dict[str, Path] = {}
        for path in pictures_in(Path(self.path) / name, recursive=True):
            stem = path.relative_to(Path(self.path) / name).with_suffix("").as_posix()
            if stem in found:
                refuse(path, f"There is also {found[stem].name}: which of them is meant?")
            found[stem] = path
        return found

    def _places(self, stems: list[str]) -> list[int | None]:
        """A number for each subfolder; what lies in none is a place of its own."""
        keys = [stem.partition("/")[0] if "/" in stem else f"/{stem}" for stem in stems]
        if self.groups == "none" or not any("/" in stem for stem in stems):
            return [None] * len(stems)
        numbers = {key: number for number, key in enumerate(sorted(set(keys)))}
        return [numbers[key] for key in keys]
