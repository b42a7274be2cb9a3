"""Read an image with georeference in windows: chosen bands, with pixels without data as void."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final, NoReturn, Self

import numpy as np

from ..errors import RequestError, counted
from .conversion import Converter
from .geo import import_geo, quiet
from .ranges import ImageChunk, Range, determine_scaling

# The most that GDAL keeps of blocks that were read, in megabytes. Its own default grows with the machine.
CACHE_MEGABYTES: Final = 256

# Values are read in windows of so many pixels where all of them decide on the scaling.
_WINDOW_PIXELS: Final = 2**22

# The least values of ISIS cubes that are no special pixels. GDAL calls only one of these, Null, nodata; those of
# saturated pixels are as low, and would be black. In unsigned cubes they are at the end where they belong.
_ISIS_LEAST: Final = {
    np.dtype(np.int16): np.int16(-32752),
    np.dtype(np.float32): np.uint32(0xFF7FFFFA).view(np.float32),
}

_COLOURS: Final = ("red", "green", "blue")


class Raster:
    """Read an image on disk in windows, with rasterio: `raster[top:bottom, left:right]` is (h, w, C) uint8.

    Where a band has no data, its value is 0; `valid` says where all bands have none. Values are read as they are
    stored: without the scale and offset that a file may name. Use it in a `with` block, which closes the file.

    Args:
        path: a file in any format that GDAL reads
        bands: the numbers of the bands, from 1; None: the only one, or red, green and blue by their names in the file
        option: how a user chooses bands, for messages
        indices: whether the numbers of colours in a table are taken as values, instead of being refused

    Attributes:
        path: the file
        bands: the numbers of the bands
        dtype: the type of the stored values
        dataset: rasterio's object; it has the georeference
        converter: converts values to 0 … 255; `scale` makes one, and another can be set

    Raises:
        RequestError: if rasterio is not installed, the file cannot be read, or the bands are not certain or do not fit
    """

    def __init__(
        self, path: Path, bands: Sequence[int] | None, *, option: str = "--bands", indices: bool = False
    ) -> None:
        self.path = path
        self._option = option
        self._indices = indices
        self._rasterio = import_geo("rasterio")
        self._open = ExitStack()
        try:
            self._open.enter_context(self._rasterio.Env(GDAL_CACHEMAX=CACHE_MEGABYTES))
            self.dataset = self._open.enter_context(self._opened())
            self.bands = self._chosen(bands)
            self.dtype = self._common_type()
        except BaseException:
            self._open.close()
            raise
        self._least = _ISIS_LEAST.get(self.dtype) if self.dataset.driver.startswith("ISIS") else None
        self.shape: tuple[int, ...] = (self.dataset.height, self.dataset.width, len(self.bands))
        self.converter = Converter(None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._open.close()

    def scale(self, wanted: Range) -> None:
        """Determine how values become 0 to 255, from all of the image where its values decide.

        Percentiles of each image are those of all valid pixels, in 65,536 steps. Raises RequestError in the cases of
        `determine_scaling`, and if no pixel has data.
        """
        if wanted.per == "image":
            wanted = Range("percentiles", wanted.low, wanted.high)
        self.converter = Converter(determine_scaling(wanted, {self.dtype: self.header()}, self._chunks))

    def header(self) -> ImageChunk:
        """Return a chunk of no certain values, with the type of the image, for `determine_scaling`."""
        return self._chunk(np.zeros((1, 1), self.dtype))

    @property
    def scaling_text(self) -> str:
        """Return how values are scaled, as text for a record; "none" if they are 0 to 255 already."""
        kept = self.converter.kept
        return "none" if kept is None else kept.range_text

    def files(self) -> list[Path]:
        """Return the files that the image consists of, such as those that a list of tiles names."""
        return [path for path in map(Path, self.dataset.files) if path.exists()]

    def remarks(self) -> list[str]:
        """Return a line on the scaling, if values are scaled."""
        return [] if self.converter.kept is None else [f"{self.path.name}: {self.converter.kept}."]

    def doubts(self) -> list[str]:
        """Return warnings about the range of the values that were read."""
        return self.converter.doubts(counted=False)

    def __getitem__(self, window: tuple[slice, slice], /) -> np.ndarray:
        """Return the pixels of a window (h, w, C) uint8."""
        values, valid = self.stored(*window)
        if valid.all():
            pixels = self.converter(self._chunk(values[None]))[0]
        else:
            pixels = np.zeros(values.shape, np.uint8)
            if valid.any():
                pixels[valid] = self.converter(self._chunk(values[valid][None]))[0]
        return np.moveaxis(pixels, 0, -1)

    def valid(self, rows: slice, columns: slice) -> np.ndarray:
        """Return where at least one band has data in a window, (h, w) bool."""
        if self._least is None:
            with self._errors():
                each = self.dataset.read_masks(self.bands, window=_window(rows, columns)) > 0
        else:
            each = self.stored(rows, columns)[1]
        valid: np.ndarray = np.any(each, axis=0)
        return valid

    def chunk(self, rows: slice, columns: slice) -> ImageChunk | None:
        """Return the values of a window that are valid, for `determine_scaling`; None if there are none."""
        values, valid = self.stored(rows, columns)
        return self._chunk(values[valid][None]) if valid.any() else None

    def stored(self, rows: slice, columns: slice) -> tuple[np.ndarray, np.ndarray]:
        """Return the stored values of a window, and where they are valid, both (C, h, w)."""
        window = _window(rows, columns)
        with self._errors():
            values: np.ndarray = self.dataset.read(self.bands, window=window)
            valid: np.ndarray = self.dataset.read_masks(self.bands, window=window) > 0
        return values, valid if self._least is None else valid & (values >= self._least)

    def _chunks(self) -> Iterator[ImageChunk]:
        height, width, channels = self.shape
        rows = max(1, _WINDOW_PIXELS // (width * channels))
        some = False
        for top in range(0, height, rows):
            if (chunk := self.chunk(slice(top, min(top + rows, height)), slice(0, width))) is not None:
                some = True
                yield chunk
        if not some:
            self._refuse("No pixel of this image has data: all have its nodata value or are masked.")

    def _chunk(self, values: np.ndarray) -> ImageChunk:
        return ImageChunk(values.dtype, lambda: values, lambda _: "This image", str(self.path))

    def _opened(self) -> Any:
        if not self.path.is_file():
            self._refuse("There is no such file.")
        with self._errors():
            return quiet(self._rasterio.open, self.path)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Turn errors of rasterio in the block into a RequestError about the file."""
        try:
            yield
        except self._rasterio.errors.RasterioError as cause:
            raise RequestError(f"This file cannot be read: {cause}.", where=str(self.path)) from cause

    def _chosen(self, bands: Sequence[int] | None) -> list[int]:
        """Return the numbers of the bands to read."""
        count, names = self.dataset.count, [colour.name for colour in self.dataset.colorinterp]
        if not count:
            others = counted(len(self.dataset.subdatasets), "other")
            self._refuse(
                "This file holds no image of its own.",
                f"It lists {others}: gdalinfo names them, and gdal_translate writes one to a file of its own.",
            )
        if bands is not None:
            if beyond := [band for band in bands if band > count]:
                raise RequestError(
                    f"There is no band {beyond[0]}: this image has {count}.", where=f"{self._option}, {self.path}"
                )
            chosen = list(bands)
        else:
            chosen = [number for number, name in enumerate(names, start=1) if name != "alpha"]
            if len(chosen) > 1:
                if not set(_COLOURS) <= set(names):
                    self._refuse(
                        f"This image has {len(chosen)} bands, which are not named red, green and blue.",
                        f"Choose one or three by their numbers, such as 1 or 3,2,1, with {self._option}.",
                    )
                chosen = [names.index(colour) + 1 for colour in _COLOURS]
        if not self._indices and any(names[band - 1] == "palette" for band in chosen):
            self._refuse(
                "The values of this band are numbers of colours in a table.",
                "Convert it to colours: gdal_translate -expand rgb",
            )
        return chosen

    def _common_type(self) -> np.dtype:
        """Return the type of the values of the bands. Raises RequestError where they differ or are not real."""
        names = sorted({self.dataset.dtypes[band - 1] for band in self.bands})
        if len(names) > 1:
            self._refuse(
                f"The bands hold different types of numbers: {', '.join(names)}.", f"Choose one with {self._option}."
            )
        if names[0].startswith("complex"):
            self._refuse("This image holds complex numbers.")
        common: np.dtype = np.dtype(names[0])
        return common

    def _refuse(self, what: str, hint: str | None = None) -> NoReturn:
        raise RequestError(what, where=str(self.path), hint=hint)


def _window(rows: slice, columns: slice) -> tuple[tuple[int, int], tuple[int, int]]:
    return (rows.start, rows.stop), (columns.start, columns.stop)
