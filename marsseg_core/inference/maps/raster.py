"""Read an image with georeference in windows: chosen bands, with pixels without data as void."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final, NoReturn, Self

import numpy as np

from ...data.conversion import Converter, Seen
from ...data.ranges import ImageChunk, Range, determine_scaling
from ...data.scaling import Scaling
from ...errors import RequestError
from .optional import import_geo, quiet

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
    """An image on disk that is read in windows: `raster[top:bottom, left:right]` is (h, w, C) uint8.

    Where a band has no data, its value is 0; `valid` says where all bands have none. Values are read as they are
    stored: without the scale and offset that a file may name.

    Args:
        path: a file in any format that GDAL reads
        bands: the numbers of the bands, from 1; None: the only one, or red, green and blue by their names in the file

    Attributes:
        path: the file
        bands: the numbers of the bands
        dataset: rasterio's object; it has the georeference

    Raises:
        RequestError: if the file cannot be read, or the bands are not certain or do not fit
    """

    def __init__(self, path: Path, bands: Sequence[int] | None) -> None:
        self.path = path
        self._rasterio = import_geo("rasterio")
        self._open = ExitStack()
        try:
            self._open.enter_context(self._rasterio.Env(GDAL_CACHEMAX=CACHE_MEGABYTES))
            self.dataset = self._open.enter_context(self._opened())
            self.bands = self._chosen(bands)
            self._dtype = self._common_type()
        except BaseException:
            self._open.close()
            raise
        self._least = _ISIS_LEAST.get(self._dtype) if self.dataset.driver.startswith("ISIS") else None
        self.shape: tuple[int, ...] = (self.dataset.height, self.dataset.width, len(self.bands))
        self._converter = Converter(None)

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
        first = {self._dtype: self._chunk(np.zeros((1, 1), self._dtype))}
        self.use(determine_scaling(wanted, first, self._chunks))

    def use(self, scaling: Scaling | None) -> None:
        """Scale values like this from now on, as `scale` has determined it elsewhere."""
        self._converter = Converter(scaling)

    @property
    def scaling(self) -> Scaling | None:
        """Return what `use` takes."""
        return self._converter.scaling

    @property
    def seen(self) -> Seen:
        """Return what was noticed of the values that were read."""
        return self._converter.seen

    @property
    def scaling_text(self) -> str:
        """Return how values are scaled, as text for a record; "none" if they are 0 to 255 already."""
        kept = self._converter.kept
        return "none" if kept is None else kept.range_text

    def files(self) -> list[list[Any]]:
        """Return the path, size and time of change of each file of the image, to tell whether it is the same."""
        stats = [(path, os.stat(path)) for path in map(str, self.dataset.files) if os.path.exists(path)]
        return [[os.path.abspath(path), stat.st_size, stat.st_mtime_ns] for path, stat in stats]

    def remarks(self) -> list[str]:
        """Return a line on the scaling, if values are scaled."""
        return [] if self._converter.kept is None else [f"{self.path.name}: {self._converter.kept}."]

    def doubts(self) -> list[str]:
        """Return warnings about the range of the values that were read."""
        return self._converter.doubts(counted=False)

    def __getitem__(self, window: tuple[slice, slice], /) -> np.ndarray:
        """Return the pixels of a window (h, w, C) uint8."""
        values, valid = self._read(*window)
        if valid.all():
            pixels = self._converter(self._chunk(values[None]))[0]
        else:
            pixels = np.zeros(values.shape, np.uint8)
            if valid.any():
                pixels[valid] = self._converter(self._chunk(values[valid][None]))[0]
        return np.moveaxis(pixels, 0, -1)

    def valid(self, top: int, bottom: int) -> np.ndarray:
        """Return where at least one band has data, in rows `top` to `bottom`: (h, W) bool."""
        _, each = self._read(slice(top, bottom), slice(0, self.shape[1]))
        valid: np.ndarray = np.any(each, axis=0)
        return valid

    def _read(self, rows: slice, columns: slice) -> tuple[np.ndarray, np.ndarray]:
        """Return the stored values of a window, and where they are valid, both (C, h, w)."""
        window = ((rows.start, rows.stop), (columns.start, columns.stop))
        with self._errors():
            values: np.ndarray = self.dataset.read(self.bands, window=window)
            valid: np.ndarray = self.dataset.read_masks(self.bands, window=window) > 0
        return values, valid if self._least is None else valid & (values >= self._least)

    def _chunks(self) -> Iterator[ImageChunk]:
        height, width, channels = self.shape
        rows = max(1, _WINDOW_PIXELS // (width * channels))
        some = False
        for top in range(0, height, rows):
            values, valid = self._read(slice(top, min(top + rows, height)), slice(0, width))
            if valid.any():
                some = True
                yield self._chunk(values[valid][None])
        if not some:
            self._refuse("No pixel of this image has data: all have its nodata value or are masked.")

    def _chunk(self, values: np.ndarray) -> ImageChunk:
        return ImageChunk(values.dtype, lambda: values, lambda _: "This image", str(self.path))

    def _opened(self) -> Any:
        if not self.path.is_file():
            hint = "A map is made of one image file. For a folder or a data set, write masks: --out FOLDER."
            self._refuse("There is no such file.", hint)
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
            self._refuse(
                "This file holds no image of its own.",
                f"It lists {len(self.dataset.subdatasets)} others: gdalinfo names them, gdal_translate writes files.",
            )
        if bands is not None:
            if beyond := [band for band in bands if band > count]:
                raise RequestError(
                    f"There is no band {beyond[0]}: this image has {count}.", where=f"--bands, {self.path}"
                )
            chosen = list(bands)
        else:
            chosen = [number for number, name in enumerate(names, start=1) if name != "alpha"]
            if len(chosen) > 1:
                if not set(_COLOURS) <= set(names):
                    self._refuse(
                        f"This image has {len(chosen)} bands, which are not named red, green and blue.",
                        "Choose one or three by their numbers, as in --bands 1 or --bands 3,2,1.",
                    )
                chosen = [names.index(colour) + 1 for colour in _COLOURS]
        if any(names[band - 1] == "palette" for band in chosen):
            self._refuse(
                "The values of this band are numbers of colours in a table.",
                "Convert it to colours: gdal_translate -expand rgb",
            )
        return chosen

    def _common_type(self) -> np.dtype:
        """Return the type of the values of the bands. Raises RequestError where they differ or are not real."""
        names = sorted({self.dataset.dtypes[band - 1] for band in self.bands})
        if len(names) > 1:
            self._refuse(f"The bands hold different types of numbers: {', '.join(names)}.", "Choose one with --bands.")
        if names[0].startswith("complex"):
            self._refuse("This image holds complex numbers.")
        common: np.dtype = np.dtype(names[0])
        return common

    def _refuse(self, what: str, hint: str | None = None) -> NoReturn:
        raise RequestError(what, where=str(self.path), hint=hint)


def parse_bands(text: str) -> tuple[int, ...]:
    """Parse the numbers of bands, such as "1" or "3,2,1". Raises RequestError where they are not one or three."""
    words = text.split(",")
    if not all(word.strip().isascii() and word.strip().isdecimal() for word in words):
        raise RequestError(
            f"'{text}' are no numbers of bands.", where="--bands", hint="Use numbers from 1, as in --bands 3,2,1."
        )
    bands = tuple(map(int, words))
    if 0 in bands:
        raise RequestError("Bands are numbered from 1.", where="--bands")
    if len(bands) not in (1, 3):
        raise RequestError(f"A network takes one grey band or three colours, not {len(bands)} bands.", where="--bands")
    return bands
