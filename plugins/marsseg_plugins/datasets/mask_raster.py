"""Read the mask of a large image in windows, with rasterio."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, Self

import numpy as np

from marsseg_core.plugin_api import VOID, Raster, refuse_file

from .pair_reader import numbered
from .pairs import check_ids

# What can change ids: formats by their drivers, and compressions of TIFF.
_LOSSY_DRIVERS: Final = ("JPEG", "WEBP", "JP2")
_LOSSY: Final = ("jpeg", "webp", "lerc", "jpeg2000", "jxl")

# The corners of a mask may be so many pixels from those of its image.
_PIXELS_APART: Final = 0.5


class MaskRaster:
    """Read a mask in windows: class ids (h, w) uint8, and void where the file has no data.

    Its values are ids, also where it has a table of colours. `names` and `ids` are those of `PairReader`. Raises
    RequestError, with the file, if it cannot be read, or its ids are not certain.
    """

    def __init__(self, path: Path, names: Sequence[str] | None, ids: Mapping[int, int] | None) -> None:
        self._path, self._names, self._ids = path, names, ids
        self._raster = Raster(path, (1,), indices=True)
        try:
            self._check()
        except BaseException:
            self._raster.close()
            raise
        self.highest = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._raster.close()

    def _check(self) -> None:
        dataset = self._raster.dataset
        if dataset.count != 1:
            refuse_file(self._path, f"A mask has one band of class ids; this file has {dataset.count} bands.")
        if self._raster.dtype.kind not in "iu":
            refuse_file(self._path, f"The mask holds {self._raster.dtype} values; ids are whole numbers.")
        compression = dataset.compression.name if dataset.compression is not None else ""
        if dataset.driver.startswith(_LOSSY_DRIVERS) or compression.lower().startswith(_LOSSY):
            what = f"The compression of this mask ({compression.lower() or dataset.driver}) can change ids."
            refuse_file(self._path, what, hint="Save masks as GeoTIFF with LZW or Deflate, or as PNG.")

    def files(self) -> list[Path]:
        """Return the files that it consists of."""
        return self._raster.files()

    def check_place(self, image: Raster) -> None:
        """Raise RequestError if the mask has another size than its image, or lies elsewhere on the body."""
        mine, other = self._raster.dataset, image.dataset
        if mine.shape != other.shape:
            sizes = [f"{rows:,} × {columns:,}" for rows, columns in (mine.shape, other.shape)]
            hint = "gdalwarp with -te and -ts makes a mask on the grid of its image."
            refuse_file(self._path, f"The mask has {sizes[0]} pixels, but its image has {sizes[1]}.", hint=hint)
        if mine.transform.is_identity or other.transform.is_identity:
            return
        corners = [(0, 0), (other.width, 0), (0, other.height), (other.width, other.height)]
        places = [~other.transform @ (mine.transform @ corner) for corner in corners]
        apart = float(np.abs(np.array(places) - corners).max())
        if apart > _PIXELS_APART:
            what = f"The mask does not lie on its image {other.name}: a corner is {apart:,.1f} pixels away."
            refuse_file(self._path, what, hint="gdalwarp with -te and -ts makes a mask on the grid of its image.")

    def __getitem__(self, window: tuple[slice, slice], /) -> np.ndarray:
        """Return the ids (h, w) of a window."""
        (values,), (valid,) = self._raster.stored(*window)
        labels = np.full(values.shape, VOID, np.uint8)
        known = values[valid]
        if not known.size:
            return labels
        if known.min() < 0 or known.max() > VOID:
            refuse_file(self._path, f"The mask has values from {known.min()} to {known.max()}; ids are 0 to {VOID}.")
        numbers = known.astype(np.uint8)
        labels[valid] = numbered(self._path, numbers, self._ids) if self._ids else numbers
        if self._names is not None:
            check_ids(self._path, labels, self._names)
        if (some := labels[labels != VOID]).size:
            self.highest = max(self.highest, int(some.max()))
        return labels
