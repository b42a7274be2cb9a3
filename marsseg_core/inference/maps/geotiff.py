"""Write a class map as a tiled, compressed GeoTIFF with the georeference of its image."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from xml.etree import ElementTree

import numpy as np

from ...conventions import VOID
from ...data.geo import import_geo, quiet
from .parts import BLOCK

_OPAQUE: Final = 255


@contextmanager
def new_map(path: Path, source: Any, names: Sequence[str], colours: np.ndarray) -> Iterator[Any]:
    """Create a map to write blocks to, and add overviews at the end; `source` is the rasterio object of the image.

    Pixels that are void have the value 255, which is the nodata value. The tag `CLASS_0` of the band is the name of
    class 0.
    """
    rasterio = import_geo("rasterio")
    profile = {
        "driver": "GTiff",
        "height": source.height,
        "width": source.width,
        "count": 1,
        "dtype": "uint8",
        "nodata": VOID,
        "tiled": True,
        "blockxsize": BLOCK,
        "blockysize": BLOCK,
        "compress": "deflate",
        "bigtiff": "if_safer",
    }
    if not source.gcps[0] and not source.transform.is_identity:
        profile["transform"] = source.transform
    with quiet(rasterio.open, path, "w", **profile) as dataset:
        _georeference(source, dataset)
        dataset.write_colormap(1, {label: (*map(int, colour), _OPAQUE) for label, colour in enumerate(colours)})
        dataset.update_tags(1, **{f"CLASS_{label}": name for label, name in enumerate(names)})
        yield dataset
    # Overviews are added until the smallest one fits into a tile.
    factors = [2**level for level in range(1, 32) if max(source.shape) > BLOCK * 2 ** (level - 1)]
    if factors:
        with (
            rasterio.Env(GDAL_TIFF_OVR_BLOCKSIZE=BLOCK),
            quiet(rasterio.open, path, "r+") as dataset,
        ):
            dataset.build_overviews(factors, rasterio.enums.Resampling.nearest)


def category_file(names: Sequence[str]) -> bytes:
    """Return the content of the file `.aux.xml` beside a map, from which GDAL and its users read the class names."""
    root = ElementTree.Element("PAMDataset")
    band = ElementTree.SubElement(root, "PAMRasterBand", band="1")
    categories = ElementTree.SubElement(band, "CategoryNames")
    for name in names:
        ElementTree.SubElement(categories, "Category").text = name
    ElementTree.indent(root)
    content: bytes = ElementTree.tostring(root, encoding="utf-8") + b"\n"
    return content


def _georeference(source: Any, target: Any) -> None:
    """Copy the coordinate reference system, and how pixels are placed in it other than by a grid."""
    points, system = source.gcps
    if points:
        target.gcps = (points, system)
    elif source.crs:
        target.crs = source.crs
    if source.rpcs:
        target.rpcs = source.rpcs
    if meaning := source.tags().get("AREA_OR_POINT"):
        target.update_tags(AREA_OR_POINT=meaning)
