"""Read the image files of a data set as uint8, all with the same scaling."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from ..errors import RequestError, counted
from .conversion import Converter
from .images import pixel_type, read_pixels, read_turned
from .ranges import ImageChunk, Range, determine_scaling, finite, first_of_each
from .scaling import numbers_of


class ImageReader:
    """Read the image files of a data set, all with the same scaling: `reader(path)` returns (H, W, C) uint8.

    The scaling is determined when the reader is made: from the headers of all files and, if their values decide, from
    all files that do not have 8 bits.

    Args:
        paths: the files of the data set
        wanted: the requested range: which values become 0 and 255
        limit: the maximum number of pixels of an image
        lenient: whether a file that cannot be read raises an error only when it is read, instead of at once
        upright: whether to turn images according to their EXIF orientation

    Attributes:
        turned: the files, among those read so far, whose image was turned or mirrored; in the order of reading
        converter: converts the values; it has the scaling

    Raises:
        RequestError: if a file cannot be read, and in the cases of `determine_scaling`
    """

    def __init__(
        self, paths: Sequence[Path], wanted: Range, *, limit: int, lenient: bool = False, upright: bool = True
    ) -> None:
        self._limit = limit
        self._upright = upright
        self.turned: dict[Path, None] = {}
        self._upper_bits = wanted.rule == "bits"
        self._lenient = lenient
        self._types: dict[Path, np.dtype] = {}
        for path in paths:
            try:
                self._types[path] = pixel_type(path, limit=limit)
            except RequestError:
                if not lenient:
                    raise
        first = first_of_each(self._chunk(path, dtype) for path, dtype in self._types.items())
        self.converter = Converter(determine_scaling(wanted, first, self._chunks))

    def __call__(self, path: Path) -> np.ndarray:
        """Read an image file.

        Args:
            path: a file of the data set

        Returns:
            (H, W, C) uint8

        Raises:
            RequestError: if the file cannot be read, or its values cannot be scaled
        """
        pixels, turned = read_turned(path, limit=self._limit, upper_bits=self._upper_bits, upright=self._upright)
        if turned:
            self.turned[path] = None
        image: np.ndarray = self.converter(_chunk_of(pixels, path))[0]
        return image

    def remarks(self) -> list[str]:
        """Return warnings about the images read so far: about their range, and about images that were turned."""
        return [*self.converter.doubts(), *self.turning()]

    def turning(self) -> list[str]:
        """Return a warning about images that were turned, as a list of one sentence; an empty list if none was."""
        if not self.turned:
            return []
        first, count = next(iter(self.turned)).name, len(self.turned)
        others = f" and {counted(count - 1, 'other')}" if count > 1 else ""
        verb = "are" if count > 1 else "is"
        return [f"{first}{others} {verb} turned or mirrored according to the EXIF orientation."]

    def scaled(self) -> list[Path]:
        """Return the files whose values are scaled."""
        scaling = self.converter.kept
        if scaling is None:
            return []
        return [p for p, dtype in self._types.items() if scaling.per == "image" or numbers_of(dtype) == scaling.numbers]

    def _chunk(self, path: Path, dtype: np.dtype) -> ImageChunk:
        def read() -> np.ndarray:
            return read_pixels(path, limit=self._limit, upper_bits=self._upper_bits)[None]

        return ImageChunk(dtype, read, lambda _: "This image", str(path))

    def _chunks(self) -> Iterator[ImageChunk]:
        for path, dtype in self._types.items():
            chunk = self._chunk(path, dtype)
            if not self._lenient or dtype == np.uint8:
                yield chunk
                continue
            try:
                pixels = chunk.read()
                finite(pixels, chunk)
            except RequestError:
                continue
            yield _chunk_of(pixels[0], path)


def _chunk_of(pixels: np.ndarray, path: Path) -> ImageChunk:
    return ImageChunk(pixels.dtype, lambda: pixels[None], lambda _: "This image", str(path))
