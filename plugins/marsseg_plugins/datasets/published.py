"""What the data sets of published releases share: parameters, and the way from pairs of files to data."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal, Protocol

from marsseg_core.plugin_api import ITEM_LIMIT, PIXEL_LIMIT, param

from .resized import ResizedDataset
from .values import EDGES_HELP, OVERLAP_HELP, Edges, check_overlap

if TYPE_CHECKING:
    import numpy as np

    from marsseg_core.plugin_api import ImageReader, SegmentationData, Writer

    from .pairs import Pair
    from .resizing import Resizing


class Reader(Protocol):
    """Read pairs of files, one after the other."""

    def __call__(self, pair: Pair) -> tuple[np.ndarray, np.ndarray]:
        """Return the image (H, W, C) uint8 and the mask (H, W) uint8 of class ids."""
        ...

    def remarks(self) -> list[str]:
        """Return warnings about the pairs read so far."""
        ...


@dataclass(frozen=True)
class Contents:
    """Hold what a release contains.

    Attributes:
        pairs: the images that have a mask
        class_names: the names of the classes 0, 1, …
        faults: a sentence for each kind of file that could not be used
        files: other files that the data are read from
    """

    pairs: Sequence[Pair]
    class_names: tuple[str, ...]
    faults: Sequence[str] = ()
    files: Sequence[Path] = ()


@dataclass(frozen=True)
class PublishedSet(ResizedDataset):
    """Read a published release of images and masks, whose folders and files have fixed names.

    Attributes:
        release: the name of the data set
        looks_for: the folders by which the release is recognised
    """

    release: ClassVar[str]
    looks_for: ClassVar[str]

    path: str = param(help="the folder of the unpacked release")
    resize: Literal["whole", "tiles"] = param("whole", help="resize whole images, or cut them into tiles")
    height: int = param(256, help="rows of an item", minimum=1, maximum=10_000)
    width: int = param(256, help="columns of an item", minimum=1, maximum=10_000)
    scale: float = param(1.0, help="factor by which images are resized before tiles are cut", above=0, maximum=16)
    edges: Edges = param("inward", help=EDGES_HELP)
    overlap: float = param(0.0, help=OVERLAP_HELP, minimum=0, maximum=10_000)
    colour: Literal["grey", "rgb"] = param("rgb", help="convert all images to grey, or to three channels")
    ignore_classes: tuple[int, ...] | None = param(
        None, help="ids of classes that losses and scores ignore", minimum=0, min_length=0
    )
    unpaired: Literal["refuse", "skip"] = param(
        "refuse", help="what to do with images without a mask and masks without an image"
    )
    limit: int | None = param(None, help="use only this many images, evenly spread", minimum=1, maximum=ITEM_LIMIT)
    pixel_limit: int = param(PIXEL_LIMIT, help="images with more pixels are refused", minimum=1)

    def __post_init__(self) -> None:
        if self.resize != "tiles" and self.scale != 1:
            raise ValueError("scale needs resize=tiles")
        check_overlap(self.overlap, self.resize, self.height, self.width)

    @classmethod
    def explain(cls, path: Path) -> str:
        return f"It looks for {cls.looks_for}."

    @abstractmethod
    def contents(self, root: Path) -> Contents:
        """Return what the release in the folder `root` contains, without reading an image."""

    @abstractmethod
    def reader(self, picture: ImageReader, class_names: tuple[str, ...]) -> Reader:
        """Return a reader of the pairs, which reads images with `picture`."""

    def class_colours(self) -> tuple[tuple[int, int, int], ...] | None:
        """Return the colour of each class in the masks; None if masks hold ids."""
        return None

    def resizing(self) -> Resizing:
        from .resizing import Resizing

        return Resizing(self.resize, self.height, self.width, self.scale, self.edges, self.overlap)

    def load(self) -> SegmentationData:
        from marsseg_core.plugin_api import (
            CacheSource,
            ImageReader,
            Range,
            cached_data,
            note_scaling,
            note_warnings,
            refuse_file,
        )

        from .pairs import report_unpaired, spread, write_pairs

        root = Path(self.path)
        found = self.contents(root)
        report_unpaired(found.faults, self.unpaired, root, remaining=len(found.pairs))
        if not found.pairs:
            refuse_file(root, "There are no images with masks in this folder.")
        pairs = spread(found.pairs, self.limit)
        resizing = self.resizing()

        def prepare(writer: Writer) -> None:
            picture = ImageReader([pair.image for pair in pairs], Range.parse("bits", "set"), limit=self.pixel_limit)
            reader = self.reader(picture, found.class_names)
            write_pairs(writer, pairs, reader, resizing, self.colour)
            note_scaling(writer, picture.converter)
            note_warnings(writer, [*picture.turning(), *reader.remarks()])

        source = CacheSource(
            f"{self.release}:{root.resolve().name}",
            [file for pair in pairs for file in (pair.image, pair.mask)] + list(found.files),
            {
                "dataset": self.release,
                "resizing": [self.resize, self.height, self.width, self.scale, self.edges, self.overlap],
                "colour": self.colour,
                "groups": [pair.group for pair in pairs],
                "subsets": [pair.subset for pair in pairs],
            },
        )
        return cached_data(
            source,
            prepare,
            class_names=found.class_names,
            ignore_classes=self.ignore_classes or (),
            class_colours=self.class_colours(),
        )
