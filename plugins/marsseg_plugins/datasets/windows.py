"""Cut windows out of large images where their masks have labels, and write them to the cache.

Neither an image nor a mask is read whole: memory holds the masks of one row of windows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NoReturn

import numpy as np

from marsseg_core.plugin_api import (
    GROUPS,
    IMAGES,
    MASKS,
    SUBSET,
    SUBSETS,
    SUFFIXES,
    VOID,
    Converter,
    ImageChunk,
    Range,
    Raster,
    Scaling,
    Writer,
    append_names,
    determine_scaling,
    note_warnings,
    refuse_file,
    tile_name,
)

from .mask_raster import MaskRaster
from .pairs import Colour, Pair, as_coloured, check_same
from .resizing import Resizing

RASTER_SUFFIXES: Final = SUFFIXES | {".jp2", ".cub", ".img", ".vrt"}
"""The suffixes of images that are read in windows. A table can name files with others."""

_OPTION: Final = "data.folder.bands"


@dataclass
class _Count:
    """How many windows there are, how many have enough labels, and how many labelled pixels the others have."""

    windows: int = 0
    kept: int = 0
    labelled: int = 0
    lost: int = 0
    smaller: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Windows:
    """Cut windows out of pairs of files, on the grid of `Resizing`.

    Attributes:
        pairs: the pairs
        resizing: the size of windows, and how they overlap
        bands: the bands of the images; None: those that are certain
        least_labelled: the least share of labelled pixels in a window; none without any is kept
        names: the names of the classes; None: any id is a class
        ids: the ids of the values in masks, if they differ
        grouped: whether the windows of an image are a group
    """

    pairs: Sequence[Pair]
    resizing: Resizing
    bands: tuple[int, ...] | None
    least_labelled: float
    names: Sequence[str] | None
    ids: Mapping[int, int] | None
    grouped: bool

    def files(self) -> list[Path]:
        """Return all files that the images and masks consist of, from their headers.

        Raises RequestError if one cannot be read, or a mask does not belong to its image.
        """
        found: list[Path] = []
        for pair in self.pairs:
            with self._opened(pair) as (image, mask):
                found += [*image.files(), *mask.files()]
        return [*dict.fromkeys(found)]

    def write(self, writer: Writer, wanted: Range, colour: Colour, folder: str) -> tuple[Converter, int]:
        """Write the windows with enough labels, and return what converted the images and the number of classes.

        The masks are read first, to find the windows, and then these windows of the images, once if their values do
        not decide how they are scaled.
        """
        count = _Count()
        places, classes = self._places(writer, count)
        if not count.kept:
            self._refuse_all(count, folder)
        if wanted.per == "image":
            common = Converter(Scaling(wanted.low, wanted.high, per="image"))
        else:
            common = Converter(self._scaling(wanted, places))
        given = any(pair.subset for pair in self.pairs)
        first: tuple[int, ...] = ()
        done = 0
        for position, (pair, corners) in enumerate(zip(self.pairs, places, strict=True)):
            with self._opened(pair) as (image, mask):
                if wanted.per == "image" and corners:
                    image.scale(wanted)
                else:
                    image.converter = common
                for top, left in corners:
                    window = self._window(image, top, left)
                    pixels = self.resizing.filled(as_coloured(image[window], colour), 0)
                    first = first or pixels.shape
                    check_same(pair.image, pixels.shape, [each.image for each in self.pairs], first)
                    writer.append(IMAGES, pixels[None])
                    writer.append(MASKS, self.resizing.filled(_labels(image, mask, window), VOID)[None])
                    append_names(writer, [tile_name(pair.name, top, left)])
                    if given:
                        writer.append(SUBSET, np.array([SUBSETS.index(pair.subset) if pair.subset else -1], np.int8))
                    if self.grouped:
                        writer.append(GROUPS, np.array([position if pair.group is None else pair.group], np.int64))
                    done += 1
                    writer.progress(count.kept + done, 2 * count.kept)
        note_warnings(writer, self._remarks(count))
        return common, classes

    def _refuse_all(self, count: _Count, folder: str) -> NoReturn:
        """Raise RequestError because no window is kept."""
        if not count.labelled:
            refuse_file(folder, "No window has labels: the masks are void wherever the images have data.")
        refuse_file(
            folder,
            f"No window has enough labels: least_labelled={self.least_labelled:g} asks for more than any of them has.",
            hint="Lower least_labelled, or make the windows smaller: height and width.",
        )

    def _places(self, writer: Writer, count: _Count) -> tuple[list[list[tuple[int, int]]], int]:
        """Return the first row and column of the windows to keep, for each pair, and the number of classes."""
        places, highest = [], -1
        for position, pair in enumerate(self.pairs):
            with self._opened(pair) as (image, mask):
                places.append([*self._with_labels(image, mask, count)])
                highest = max(highest, mask.highest)
                if min(image.shape[0] - self.resizing.height, image.shape[1] - self.resizing.width) < 0:
                    count.smaller.append(pair.name)
            writer.progress(position + 1, 2 * len(self.pairs))
        return places, highest + 1

    def _with_labels(self, image: Raster, mask: MaskRaster, count: _Count) -> Iterator[tuple[int, int]]:
        """Yield the first row and column of each window with enough labels on pixels that have data."""
        height, width = image.shape[:2]
        size = self.resizing.height * self.resizing.width
        for top in self.resizing.starts(height, self.resizing.height):
            row = mask[slice(top, min(top + self.resizing.height, height)), slice(0, width)] != VOID
            for left in self.resizing.starts(width, self.resizing.width):
                count.windows += 1
                if not row[:, left : left + self.resizing.width].any():
                    continue
                labelled = int((_labels(image, mask, self._window(image, top, left)) != VOID).sum())
                count.labelled += labelled
                if labelled and labelled >= self.least_labelled * size:
                    count.kept += 1
                    yield top, left
                else:
                    count.lost += labelled

    def _scaling(self, wanted: Range, places: Sequence[Sequence[tuple[int, int]]]) -> Scaling | None:
        """Determine the scaling from the windows that are kept."""
        first: dict[np.dtype, ImageChunk] = {}
        for pair, corners in zip(self.pairs, places, strict=True):
            if corners:
                with self._image(pair) as image:
                    first.setdefault(image.dtype, image.header())

        def chunks() -> Iterator[ImageChunk]:
            for pair, corners in zip(self.pairs, places, strict=True):
                with self._image(pair) as image:
                    for corner in corners:
                        if (chunk := image.chunk(*self._window(image, *corner))) is not None:
                            yield chunk

        return determine_scaling(wanted, first, chunks)

    def _remarks(self, count: _Count) -> list[str]:
        lines = []
        if count.kept < count.windows:
            enough = "enough labels" if count.lost else "labels"
            lines.append(f"{count.kept:,} of {count.windows:,} windows have {enough}; the others are left out.")
        if count.lost:
            share = f"{100 * count.lost / count.labelled:.3g} %"
            lines.append(f"{share} of the labelled pixels are in windows that have fewer than least_labelled says.")
        if count.smaller:
            verb = "is" if len(count.smaller) == 1 else "are"
            lines.append(
                f"{len(count.smaller):,} of {len(self.pairs):,} images {verb} smaller than a window, and {verb} filled "
                "up with black and void."
            )
        return lines

    def _window(self, image: Raster, top: int, left: int) -> tuple[slice, slice]:
        """Return the part of a window that is inside the image."""
        bottom, right = min(top + self.resizing.height, image.shape[0]), min(left + self.resizing.width, image.shape[1])
        return slice(top, bottom), slice(left, right)

    def _image(self, pair: Pair) -> Raster:
        return Raster(pair.image, self.bands, option=_OPTION)

    @contextmanager
    def _opened(self, pair: Pair) -> Iterator[tuple[Raster, MaskRaster]]:
        with self._image(pair) as image, MaskRaster(pair.mask, self.names, self.ids) as mask:
            mask.check_place(image)
            yield image, mask


def _labels(image: Raster, mask: MaskRaster, window: tuple[slice, slice]) -> np.ndarray:
    """Return the ids (h, w) of a window, void where no band of the image has data."""
    labels = mask[window]
    labels[~image.valid(*window)] = VOID
    return labels
