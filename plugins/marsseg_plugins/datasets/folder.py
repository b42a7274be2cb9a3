"""The data set `folder`: images and masks in the layouts that people use."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from marsseg_core.plugin_api import ITEM_LIMIT, PIXEL_LIMIT, counted, param

from .mars import MARS_CLASSES
from .resized import ResizedDataset
from .values import (
    BINARY_HELP,
    EDGES_HELP,
    IGNORED_HELP,
    OVERLAP_HELP,
    PALETTE_HELP,
    PER_HELP,
    RANGE_HELP,
    Edges,
    Ignored,
    PaletteMeaning,
    RangePer,
    check_overlap,
    check_range,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    from marsseg_core.plugin_api import Converter, Range, Scaling, SegmentationData, Writer

    from .class_file import ClassFile
    from .layouts.base import Found, Item, Wanted
    from .pairs import Pair
    from .resizing import Resizing
    from .windows import Windows


@dataclass(frozen=True)
class Folder(ResizedDataset):
    """Images and masks in a folder, in one of the usual layouts, or the paths of a table.

    The layout is found automatically where only one fits, or set with `layout`: `two_folders` is images/ and masks/ (or
    other usual names) with the same file names; `suffix` is a.jpg with a_mask.png; `voc`, `cityscapes`, `coco` and
    `labelme` are those of these data sets and tools; `table` is a .csv file with the columns image and mask; `pattern`
    is what `images` and `masks` say; `images` has no masks, for images without labels. Folders called train, val and
    test, and the lists of VOC, become the split. A warning lists what is not read, with the reason. docs/datasets.md
    has the table of layouts.

    Images are PNG, JPEG, TIFF, BMP, WebP or GIF, grey or in colour. `range` sets which of their values are black and
    white. With `auto`, 8 bits are 0 to 255; higher whole numbers are taken as 10, 12, 14 or 16 bits, the fewest that
    hold all values of the set; floats are 0 to 1 or 0 to 255; anything else is refused. Masks are stored without loss,
    with one channel of class ids, 255 for void. Images and masks are turned by their EXIF orientation.

    The classes are 0 to the highest id in the masks, and all of them count. A file classes.csv (or classes.txt, CVAT's
    labelmap.txt, class_names.txt, class_dict.csv, or classes.json) next to the two folders names them. If it also has
    colours, masks may be palette or colour images. With `palette=indices`, the indices of palette images are the ids,
    as in VOC.

    With `resize=windows`, images and masks are not read whole, and may be of any size and any format that GDAL reads
    (GeoTIFF, JPEG 2000, ISIS cubes; PDS labels by a table). Windows are cut out where masks have labels. Masks have one
    band of class ids; pixels with the nodata value of either file are void. It needs `pip install "marsseg[geo]"`.

    The files may be in subfolders, the same ones in both folders. Each subfolder of images/, with the folders inside
    it, is a place, and the items of a place stay in the same subset of any split. The tiles of an image always stay
    together. A table items.csv next to the two folders gives items other names, groups and a split.
    """

    generic = True

    path: str = param(help="the folder, a .csv file of paths, or a COCO .json file")
    layout: Literal[
        "auto", "two_folders", "suffix", "voc", "cityscapes", "table", "pattern", "coco", "labelme", "images", "plain"
    ] = param(
        "auto",
        help="where images and masks are; auto: as the names say; images: all images of the folder, none with labels; "
        "plain (in older plans): images/ and masks/, all of whose subfolders are places",
        absent="plain",
    )
    images: str | None = param(
        None, help="the folder of images, or the pattern of their paths, such as images/{subset}/{group}/{name}_l.png"
    )
    masks: str | None = param(None, help="the same for masks")
    image_suffix: str | None = param(None, help="the end of the names of images; none: found automatically")
    mask_suffix: str | None = param(None, help="the same for masks, such as _mask in a_mask.png")
    resize: Literal["none", "whole", "tiles", "windows"] = param(
        "none",
        help="how images get one size: none if they have it already, resized whole, cut into tiles, or windows where "
        "labels are in large images",
    )
    height: int | None = param(None, help="rows of an item, unless resize=none", minimum=1, maximum=10_000)
    width: int | None = param(None, help="columns of an item, unless resize=none", minimum=1, maximum=10_000)
    scale: float = param(1.0, help="factor by which images are resized before tiles are cut", above=0, maximum=16)
    edges: Edges = param("inward", help=EDGES_HELP, absent="pad")
    overlap: float = param(0.0, help=OVERLAP_HELP, minimum=0, maximum=10_000)
    least_labelled: float = param(
        0.0,
        help="least share of labelled pixels in a window, for resize=windows; windows without any are left out",
        minimum=0,
        maximum=1,
    )
    bands: tuple[int, ...] | None = param(
        None,
        help="numbers of the bands to read, one or three from 1, for resize=windows; none: the only one, or red, "
        "green and blue",
        minimum=1,
        maximum=65_535,  # TIFF cannot number more
        min_length=1,
    )
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
    pixel_limit: int = param(PIXEL_LIMIT, help="images with more pixels are refused, unless resize=windows", minimum=1)
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
            raise ValueError("height and width need resize=whole, resize=tiles or resize=windows")
        if self.resize != "tiles" and self.scale != 1:
            raise ValueError("scale needs resize=tiles")
        tiled = "tiles" if self.resize == "windows" else self.resize
        check_overlap(self.overlap, tiled, self.height, self.width)
        self._check_windows()

    def _check_windows(self) -> None:
        if self.bands is not None and len(self.bands) not in (1, 3):
            raise ValueError(f"bands are one grey band or three colours, not {len(self.bands)}")
        if self.resize != "windows":
            if self.bands is not None or self.least_labelled:
                raise ValueError("bands and least_labelled need resize=windows")
        elif self.binary:
            raise ValueError("binary has no meaning with resize=windows: masks hold class ids")
        elif self.groups == "none" and (self.overlap or self.edges != "pad"):
            # Else a pixel could be in two subsets.
            raise ValueError("groups=none with resize=windows needs edges=pad and overlap=0")

    @classmethod
    def recognises(cls, path: Path) -> bool:
        from .layouts.choice import recognised

        return bool(recognised(path))

    @classmethod
    def recognises_unlabelled(cls, path: Path) -> bool:
        from .layouts import images

        return images.recognises(path)

    @classmethod
    def explain(cls, path: Path) -> str:
        from .layouts.choice import explain

        return explain(path)

    def load(self) -> SegmentationData:
        from marsseg_core.plugin_api import (
            FACT_FILE,
            ITEM_FILE,
            CacheSource,
            Range,
            cached_data,
            note_classes,
            note_scaling,
            read_folder_facts,
        )

        from .classes import ignored_classes
        from .finding import find_pairs
        from .pairs import digest
        from .values import refuse_other_values

        root = Path(self.path)
        class_file, class_files = self._class_file()
        tables = [path for name in (ITEM_FILE, FACT_FILE) if (path := root / name).is_file()]
        found, pairs = find_pairs(
            root,
            self.layout,
            self._wanted(class_file),
            self.unpaired,
            self.groups,
            self.limit,
            read_elsewhere=[*class_files, *tables],
        )
        classes = class_file or found.classes
        if class_file and found.classes and not class_file.palette:
            classes = replace(class_file, indices=found.classes.indices)  # names alone, as labelme writes them for VOC
        names = self._class_names(classes)
        windows = self._windows(found, pairs, names, classes) if self.resize == "windows" else None
        facts = read_folder_facts(root)
        earlier = facts.scaling if self.range == "auto" else None

        def prepare(writer: Writer) -> None:
            value_range = Range.parse(self.range, self.range_per)
            if windows is not None:
                converter, count = windows.write(writer, value_range, self.colour, self.path)
            else:
                converter, count = self._write_whole(writer, value_range, found, pairs, names, classes)
            refuse_other_values(self.path, earlier, converter.kept)
            note_scaling(writer, converter, earlier)
            if names is None:
                note_classes(writer, count)

        options = {
            "dataset": "folder",
            "resizing": [self.resize, self.height, self.width, self.scale, self.edges, self.overlap],
            "colour": self.colour,
            "pairs": digest(pairs),
            "drawn": names if found.draw else None,
            "range": [self.range, self.range_per],
            "palette": self.palette,
            "binary": self.binary,
            "orientation": self.orientation,
            "windows": None if windows is None else [self.bands, self.least_labelled, windows.grouped],
        }
        if windows is not None:
            files = dict.fromkeys(windows.files())
        else:
            files = dict.fromkeys(file for pair in pairs for file in (pair.image, pair.mask))
        source = CacheSource(f"folder:{root.resolve().name}", [*files, *found.files, *class_files, *tables], options)
        ignore_classes = ignored_classes(source.name, names, self.ignore_classes, facts.ignore_classes)
        colours = classes.colours if classes else None
        return cached_data(source, prepare, class_names=names, ignore_classes=ignore_classes, class_colours=colours)

    def _write_whole(
        self,
        writer: Writer,
        value_range: Range,
        found: Found,
        pairs: Sequence[Pair],
        names: tuple[str, ...] | None,
        classes: ClassFile | None,
    ) -> tuple[Converter, int]:
        """Write images that are read whole, and return what converted them and the number of classes."""
        from marsseg_core.plugin_api import ImageReader, note_warnings

        from .pair_reader import PairReader
        from .pairs import write_pairs

        upright = self.orientation == "shown"
        picture = ImageReader([pair.image for pair in pairs], value_range, limit=self.pixel_limit, upright=upright)
        reader = PairReader(
            picture,
            names,
            classes.palette if classes else {},
            self.binary,
            upright,
            self.pixel_limit,
            indices=self.palette == "indices" or bool(classes and classes.indices),
            ids=classes.ids if classes else None,
            draw=found.draw,
        )
        write_pairs(writer, pairs, reader, self.resizing(), self.colour)
        note_warnings(writer, picture.turning())
        return picture.converter, len(names) if names is not None else reader.classes(self.path)

    def _windows(
        self, found: Found, pairs: Sequence[Pair], names: tuple[str, ...] | None, classes: ClassFile | None
    ) -> Windows:
        from marsseg_core.plugin_api import refuse_file

        from .windows import Windows

        if found.draw is not None:
            refuse_file(self.path, "Windows need masks that are images; here, they are polygons.")
        ids = classes.ids if classes else None
        grouped = self.groups != "none"
        return Windows(pairs, self.resizing(), self.bands, self.least_labelled, names, ids, grouped)

    def with_scaling(self, scaling: Scaling) -> Folder:
        from marsseg_core.plugin_api import read_folder_facts

        from .values import is_scaled_already

        earlier = read_folder_facts(Path(self.path)).scaling if self.range == "auto" else None
        if self.range != "auto" or is_scaled_already(self.path, earlier, scaling):
            return self
        return replace(self, range=scaling.range_text, range_per=scaling.per)

    def unlabelled(self) -> np.ndarray | None:
        from marsseg_core.plugin_api import Range

        from .finding import pairs_of
        from .layouts.choice import find_unlabelled
        from .unlabelled import read_unlabelled

        root = Path(self.path)
        found = find_unlabelled(root, self.layout, self._wanted(self._class_file()[0]))
        if not found.unlabelled or self.resize == "windows":
            return None
        labelled: Sequence[Item | Pair] = found.items
        if labelled and self.limit is not None:
            labelled = pairs_of(root, found, self.unpaired, self.groups, self.limit)
        return read_unlabelled(
            f"folder:{root.resolve().name}, without labels",
            found.unlabelled,
            [each.image for each in labelled],
            self.resizing(),
            self.colour,
            Range.parse(self.range, self.range_per),
            upright=self.orientation == "shown",
            limit=self.pixel_limit,
        )

    def resizing(self) -> Resizing:
        from .resizing import Resizing

        return Resizing(self.resize, self.height or 0, self.width or 0, self.scale, self.edges, self.overlap)

    def _wanted(self, class_file: ClassFile | None) -> Wanted:
        from marsseg_core.plugin_api import SUFFIXES

        from .layouts.base import Wanted
        from .windows import RASTER_SUFFIXES

        given = class_file.names if class_file else None
        names = self.classes if isinstance(self.classes, tuple) else MARS_CLASSES if self.classes == "mars" else given
        suffixes = RASTER_SUFFIXES if self.resize == "windows" else SUFFIXES
        return Wanted(self.images, self.masks, self.image_suffix, self.mask_suffix, names, self.pixel_limit, suffixes)

    def _class_file(self) -> tuple[ClassFile | None, list[Path]]:
        """Return the content of the class file, or None, and a list of its path, which may be empty."""
        from .label_maps import find_class_file, read_own_class_file

        root = Path(self.path)
        folder = root if root.is_dir() else root.parent
        return read_own_class_file(folder) if self.layout == "plain" else find_class_file(folder)

    def _class_names(self, classes: ClassFile | None) -> tuple[str, ...] | None:
        """Return the names of the classes; None if the classes are the ids in the masks."""
        from marsseg_core.plugin_api import refuse_file

        if self.classes == "found":
            return None if classes is None else classes.names
        if self.classes is None:
            return MARS_CLASSES if classes is None else classes.names
        names = MARS_CLASSES if self.classes == "mars" else self.classes
        if classes is not None and len(names) != len(classes.names):
            given = counted(len(names), "class", "classes")
            refuse_file(self.path, f"`classes` names {given}, but the class file has {len(classes.names)}.")
        return names
