"""The map of a real Mars tile with a place on Mars has the same georeference, for rasterio and for `gdalinfo`."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from typer.testing import CliRunner

import marsseg_core as marsseg
from marsseg_core.cli.main import app

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("without_reports")]

# Polar stereographic on the ellipsoid of Mars, with a grid that is turned by 30°.
MARS = "+proj=stere +lat_0=90 +lat_ts=90 +lon_0=0 +k=1 +x_0=0 +y_0=0 +a=3396190 +b=3376200 +units=m +no_defs +type=crs"
PLACE = Affine.translation(-120_000, 45_000) @ Affine.rotation(30) @ Affine.scale(0.25, -0.25)


@pytest.fixture(scope="module")
def files(real_tiles, tmp_path_factory) -> tuple[Path, Path, np.ndarray]:
    """A GeoTIFF of a real tile, the map that a network of real tiles predicts, and the labels of the plain image."""
    folder = tmp_path_factory.mktemp("real")
    words = {"arch": "unet:width=0.125:depth=2", "bottleneck": "none", "batch": 8, "epochs": 1}
    run = marsseg.run(**words, data=f"npz:path={real_tiles}:limit=64", out=folder / "run")
    with np.load(real_tiles) as tiles:
        tile = tiles["training_set"][7, 0].astype(np.uint8)
    image, made = folder / "tile.tif", folder / "classes.tif"
    place = {"crs": MARS, "transform": PLACE, "height": tile.shape[0], "width": tile.shape[1]}
    with rasterio.open(image, "w", driver="GTiff", count=1, dtype="uint8", **place) as dataset:
        dataset.write(tile, 1)
    answer = CliRunner().invoke(app, ["predict", str(run.path), str(image), "--out", str(made)])
    assert answer.exit_code == 0, answer.stderr
    (labels,) = marsseg.predict(run, [tile])
    return image, made, labels


def test_rasterio_finds_both_in_one_place(files):
    image, made, labels = files
    with rasterio.open(image) as source, rasterio.open(made) as classes:
        assert (classes.crs, classes.transform, classes.shape) == (source.crs, source.transform, source.shape)
        assert classes.crs.to_dict()["a"] == 3396190
        np.testing.assert_array_equal(classes.read(1), labels)


def test_gdalinfo_finds_both_in_one_place(files):
    if shutil.which("gdalinfo") is None:
        pytest.skip("no gdalinfo: install gdal-bin")
    source, classes = (told(path) for path in files[:2])
    for key in ("coordinateSystem", "geoTransform", "cornerCoordinates", "wgs84Extent", "size"):
        assert classes.get(key) == source.get(key), key
    assert "3396190" in classes["coordinateSystem"]["wkt"]
    (band,) = classes["bands"]
    assert (band["noDataValue"], band["colorInterpretation"]) == (255, "Palette")
    assert band["metadata"][""]["CLASS_3"] == "sand"


def told(path: Path) -> dict:
    """What `gdalinfo` tells of a file."""
    answer = subprocess.run(["gdalinfo", "-json", str(path)], check=True, capture_output=True, text=True)
    return dict(json.loads(answer.stdout))
