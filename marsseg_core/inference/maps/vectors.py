"""Write the areas of each class in a map as polygons."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Final

import numpy as np

from ...conventions import VOID
from ...data.geo import import_geo, quiet
from ...errors import RequestError
from ...files.atomic import atomic_write

SUFFIX: Final = ".gpkg"
"""The suffix of a GeoPackage."""

_LAYER: Final = "classes"
_AT_ONCE: Final = 50_000


def check_vectors(path: Path, source: Any) -> None:
    """Raise RequestError where polygons cannot be written: no GeoPackage, no grid, or a library is not installed."""
    if path.suffix.lower() != SUFFIX:
        raise RequestError(
            f"Polygons are written as a GeoPackage, not as '{path.name}'.",
            where="--vectors",
            hint=f"End its name in {SUFFIX}.",
        )
    if not source.crs or source.gcps[0] or source.transform.is_identity:
        raise RequestError(
            "The image has no coordinate reference system with a grid, so polygons would have no place.",
            where="--vectors",
            hint="Leave the option out, or give the image one with gdalwarp or gdal_edit.",
        )
    for module in ("pyogrio.raw", "shapely"):
        import_geo(module)


def write_vectors(path: Path, map_path: Path, names: Sequence[str]) -> int:
    """Write a polygon for each connected area of a class in a map, and return their number.

    The layer `classes` has the fields `class_id` and `class`. Pixels that touch at a corner only are not connected.
    Raises RunError where the file cannot be written.
    """
    raw, rasterio, count = import_geo("pyogrio.raw"), import_geo("rasterio"), 0
    with quiet(rasterio.open, map_path) as dataset, atomic_write(path) as temporary:
        options = {
            "layer": _LAYER,
            "driver": "GPKG",
            "geometry_type": "Polygon",
            "crs": dataset.crs.to_wkt(),
            "fields": np.array(["class_id", "class"], object),
        }
        polygons = _polygons(dataset)
        while some := list(islice(polygons, _AT_ONCE)):
            ids = np.array([label for label, _ in some], np.int32)
            classes = np.array([names[label] for label in ids], object)
            geometries = np.array([polygon for _, polygon in some], object)
            raw.write(temporary, geometries, field_data=[ids, classes], append=bool(count), **options)
            count += len(some)
        if not count:
            raw.write(
                temporary, np.empty(0, object), field_data=[np.empty(0, np.int32), np.empty(0, object)], **options
            )
    return count


def _polygons(dataset: Any) -> Iterator[tuple[int, bytes]]:
    """Yield the class id of each connected area, and its polygon as well-known binary."""
    shapely, band = import_geo("shapely"), import_geo("rasterio").band(dataset, 1)
    shape = import_geo("shapely.geometry").shape
    for outline, label in import_geo("rasterio.features").shapes(band, connectivity=4, transform=dataset.transform):
        if label != VOID:
            yield int(label), shapely.to_wkb(shape(outline))
