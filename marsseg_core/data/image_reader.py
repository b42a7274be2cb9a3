"""Image files read as uint8, all of a set in the same way."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from ..errors import RequestError
from .conversion import Converter
from .images import pixel_type, read_pixels, read_turned
from .ranges import Piece, Range, finite, first_of_each, found_scaling
from .scaling import numbers_of


class ImageReader:
    """Read the image files of a set, all in the same way: `reader(path)` is (H, W, C) uint8.

    What `wanted` means is found at once, from the headers of all files and, where values decide, from all that are not
    of 8 bits. `turned` has the files of those that were turned.

    Args:
        paths: the files of the set
        wanted: which values become 0 and 255
        limit: the most pixels that one may have
        lenient: whether files that cannot be read are refused when their turn comes, and not at once
        upright: whether images are turned as their EXIF orientation says

    Raises:
        RequestError: as `found_scaling` does, and for files that cannot be read
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
        first = first_of_each(self._piece(path, dtype) for path, dtype in self._types.items())
        self.converter = Converter(found_scaling(wanted, first, self._pieces))

    def __call__(self, path: Path) -> np.ndarray:
        read, turned = read_turned(path, limit=self._limit, upper_bits=self._upper_bits, upright=self._upright)
        if turned:
            self.turned[path] = None
        image: np.ndarray = self.converter(_piece_of(read, path))[0]
        return image

    def remarks(self) -> list[str]:
        """Tell of the images read so far what is doubtful in their range, and which were turned."""
        return [*self.converter.doubts(), *self.turning()]

    def turning(self) -> list[str]:
        """Tell of the images that were turned, in a sentence, if any were."""
        if not self.turned:
            return []
        first, count = next(iter(self.turned)).name, len(self.turned)
        others = f" and {count - 1:,} other{'s' if count > 2 else ''}" if count > 1 else ""
        verb = "are" if count > 1 else "is"
        return [f"{first}{others} {verb} turned or mirrored as the EXIF orientation says."]

    def scaled(self) -> list[Path]:
        """List the files whose values are scaled."""
        scaling = self.converter.kept
        if scaling is None:
            return []
        return [p for p, dtype in self._types.items() if scaling.per == "image" or numbers_of(dtype) == scaling.numbers]

    def _piece(self, path: Path, dtype: np.dtype) -> Piece:
        def read() -> np.ndarray:
            return read_pixels(path, limit=self._limit, upper_bits=self._upper_bits)[None]

        return Piece(dtype, read, lambda _: "This image", str(path))

    def _pieces(self) -> Iterator[Piece]:
        for path, dtype in self._types.items():
            piece = self._piece(path, dtype)
            if not self._lenient or dtype == np.uint8:
                yield piece
                continue
            try:
                pixels = piece.read()
                finite(pixels, piece)
            except RequestError:
                continue
            yield _piece_of(pixels[0], path)


def _piece_of(pixels: np.ndarray, path: Path) -> Piece:
    return Piece(pixels.dtype, lambda: pixels[None], lambda _: "This image", str(path))
