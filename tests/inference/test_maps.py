"""`marsseg predict RUN image.tif --out map.tif`: in blocks, with georeference, resumed after a kill."""

from __future__ import annotations

import json
import sys

import numpy as np
import pyogrio
import pytest
import rasterio
import shapely
from affine import Affine
from rasterio.control import GroundControlPoint

import marsseg_core as marsseg
from marsseg_core.data.raster import Raster
from marsseg_core.errors import RequestError
from marsseg_core.inference.maps import parts, vectors
from marsseg_core.inference.maps.request import parse_bands

pytestmark = pytest.mark.usefixtures("without_reports")

SIZE = (1100, 40)  # three blocks
PLACE = Affine(100, 0, 5e5, 0, -100, 3e6)
MARS = "+proj=eqc +lat_ts=10 +lon_0=180 +R=3396190"
NAMES = ("background", "soil", "bedrock", "sand", "big_rock")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A finished run of a tiny network for grey images of 16 × 32 pixels."""
    out = tmp_path_factory.mktemp("maps") / "run"
    words = {"arch": "unet:width=0.125:depth=2:convolutions=1", "bottleneck": "none"}
    return marsseg.run(
        **words, data="synthetic:count=24:height=16:width=32", learning_rate=0.01, out=out, epochs=2
    ).path


@pytest.fixture(scope="module")
def pixels():
    """A grey image of `SIZE`, with 0 where it has no data."""
    from marsseg_plugins.datasets.synthetic import Synthetic

    scene = Synthetic(count=1, height=64, width=64, seed=3).load().images[0, ..., 0]
    image = np.tile(scene, (18, 1))[: SIZE[0], : SIZE[1]].clip(1)
    image[:30, :7] = 0
    image[600] = 0
    return image


def write(path, bands, **options):
    """Write bands (C, H, W) as a GeoTIFF on Mars."""
    count, height, width = bands.shape
    size = {"count": count, "height": height, "width": width, "dtype": bands.dtype}
    with rasterio.open(path, "w", **{"driver": "GTiff", "crs": MARS, "transform": PLACE, **size, **options}) as dataset:
        dataset.write(bands)
    return path


@pytest.fixture
def image(tmp_path, pixels):
    return write(tmp_path / "image.tif", pixels[None], nodata=0)


def labels(path):
    with rasterio.open(path) as dataset:
        return dataset.read(1)


class TestAMap:
    @pytest.fixture
    def answer(self, cli, run, image):
        answer = cli("predict", str(run), "image.tif", "--out", "map.tif")
        assert answer.code == 0, answer.err
        return answer

    def test_has_the_labels_of_the_image_in_memory_and_void_without_data(self, answer, run, pixels):
        (expected,) = marsseg.predict(run, [pixels])
        np.testing.assert_array_equal(labels("map.tif"), np.where(pixels == 0, 255, expected))

    def test_has_georeference_colours_names_nodata_tiles_and_overviews(self, answer, image):
        with rasterio.open("map.tif") as made, rasterio.open(image) as source:
            assert (made.crs, made.transform, made.shape) == (source.crs, source.transform, source.shape)
            assert made.nodata == 255
            assert made.profile["compress"] == "deflate"
            assert made.block_shapes == [(512, 512)]
            assert made.overviews(1) == [2, 4]
            assert made.colormap(1)[3][:3] == (0xEF, 0xD9, 0x3C)
            assert [made.tags(1)[f"CLASS_{c}"] for c in range(5)] == list(NAMES)
        with open("map.tif.aux.xml", encoding="utf-8") as file:
            assert "<Category>big_rock</Category>" in file.read()

    def test_has_the_areas_of_its_classes_on_the_body(self, answer, cli, run):
        assert "areas on unknown: semi-axes 3,396,190 m and 3,396,190 m" in answer.out
        told = json.loads(cli("predict", str(run), "image.tif", "--out", "again.tif", "--json").out)
        assert told["ellipsoid"] == {"name": "unknown", "semi_major_axis": 3396190, "semi_minor_axis": 3396190}
        ids = labels("map.tif")
        assert [each["pixels"] for each in told["classes"]] == [int((ids == c).sum()) for c in range(5)]
        assert told["void"] == int((ids == 255).sum())
        edges = 3e6 - 100 * np.arange(SIZE[0] + 1)  # at 10° the map is as wide as the ground, elsewhere wider
        width = np.degrees(100 / (3396190 * np.cos(np.radians(10))))
        rows = 3396190**2 * np.radians(width) * -np.diff(np.sin(edges / 3396190))
        expected = [((ids == c).sum(axis=1) * rows).sum() for c in range(5)]
        np.testing.assert_allclose([each["square_metres"] for each in told["classes"]], expected, rtol=1e-6)

    def test_leaves_nothing_else(self, answer, tmp_path):
        assert {path.name for path in tmp_path.iterdir()} == {"image.tif", "map.tif", "map.tif.aux.xml"}

    def test_is_not_overwritten(self, answer, cli, run):
        again = cli("predict", str(run), "image.tif", "--out", "map.tif")
        assert again.code == 2
        assert "'map.tif' exists" in again.err


class TestPolygons:
    def test_cover_the_pixels_of_each_class(self, cli, run, image):
        answer = cli("predict", str(run), "image.tif", "--out", "map.tif", "--vectors", "map.gpkg")
        assert answer.code == 0, answer.err
        info = pyogrio.read_info("map.gpkg")
        assert (info["layer_name"], info["geometry_type"]) == ("classes", "Polygon")
        with rasterio.open(image) as source:
            assert rasterio.crs.CRS.from_string(info["crs"]) == source.crs
        _, _, outlines, (ids, names) = pyogrio.raw.read("map.gpkg")
        polygons = shapely.from_wkb(outlines)
        assert shapely.is_valid(polygons).all()
        of_pixels = labels("map.tif")
        for label in range(5):
            assert shapely.area(polygons[ids == label]).sum() == pytest.approx(100**2 * (of_pixels == label).sum())
            assert set(names[ids == label]) <= {NAMES[label]}
        assert set(ids) <= set(range(5))

    def test_are_written_together_and_in_parts(self, tmp_path, image, monkeypatch):
        monkeypatch.setattr(vectors, "_AT_ONCE", 3)
        chequers = (np.indices((4, 4)).sum(axis=0) % 2).astype(np.uint8)
        write(tmp_path / "map.tif", chequers[None])
        assert vectors.write_vectors(tmp_path / "map.gpkg", tmp_path / "map.tif", NAMES) == 16
        assert pyogrio.read_info(tmp_path / "map.gpkg")["features"] == 16

    def test_of_a_map_without_data_are_none(self, tmp_path):
        write(tmp_path / "map.tif", np.full((1, 3, 3), 255, np.uint8))
        assert vectors.write_vectors(tmp_path / "map.gpkg", tmp_path / "map.tif", NAMES) == 0
        assert pyogrio.read_info(tmp_path / "map.gpkg")["features"] == 0

    def test_need_a_place(self, cli, run, tmp_path):
        write(tmp_path / "plain.tif", np.full((1, 20, 40), 90, np.uint8), crs=None)
        answer = cli("predict", str(run), "plain.tif", "--out", "map.tif", "--vectors", "map.gpkg")
        assert answer.code == 2
        assert "polygons would have no place" in " ".join(answer.err.split())


class TestAKilledPrediction:
    @pytest.fixture
    def killed(self, cli, run, image, monkeypatch):
        write, calls = parts.Parts.write, []

        def writing(self, number, block):
            calls.append(number)
            if len(calls) == 2:
                raise KeyboardInterrupt
            write(self, number, block)

        with monkeypatch.context() as patch:
            patch.setattr(parts.Parts, "write", writing)
            answer = cli("predict", str(run), "image.tif", "--out", "map.tif")
        assert answer.code == 130
        assert "1 of 3 blocks are finished, in map.tif.part" in answer.err

    def test_goes_on_with_its_finished_blocks_to_the_same_labels(self, killed, cli, run):
        answer = cli("predict", str(run), "image.tif", "--out", "map.tif")
        assert answer.code == 0, answer.err
        assert "1 of 3 blocks of this map are finished already" in answer.err
        cli("predict", str(run), "image.tif", "--out", "whole.tif")
        np.testing.assert_array_equal(labels("map.tif"), labels("whole.tif"))

    def test_is_not_mixed_with_another_request(self, killed, cli, run):
        answer = cli("predict", str(run), "image.tif", "--out", "map.tif", "--tta")
        assert answer.code == 2
        assert "of another request: tta differs" in answer.err

    def test_is_not_mixed_with_another_image(self, killed, cli, run, image, pixels):
        write(image, pixels[None])
        answer = cli("predict", str(run), "image.tif", "--out", "map.tif")
        assert answer.code == 2
        assert "of another request: image differs" in answer.err


class TestAnImage:
    def test_of_16_bits_is_scaled_like_a_plain_image_and_without_data_is_0(self, tmp_path):
        values = np.array([[[0, 4095, 2000], [65535, 16, 65535]]], np.uint16)
        with Raster(write(tmp_path / "wide.tif", values, nodata=65535), None) as raster:
            raster.scale(values_range("auto"))
            assert raster[0:2, 0:3][..., 0].tolist() == [[0, 255, 125], [0, 1, 0]]
            assert raster.valid(slice(1, 2), slice(0, 3)).tolist() == [[False, True, False]]
            assert raster.remarks() == ["wide.tif: whole numbers from 0 to 4095 are scaled to 0 to 255."]

    def test_of_floats_may_have_nan_as_nodata(self, tmp_path):
        values = np.array([[[0.0, np.nan, 1.0, 0.5]]], np.float32)
        with Raster(write(tmp_path / "float.tif", values, nodata=np.nan), None) as raster:
            raster.scale(values_range("auto"))
            assert raster[0:1, 0:4][..., 0].tolist() == [[0, 0, 255, 128]]

    def test_with_nan_that_is_not_nodata_is_refused(self, tmp_path):
        path = write(tmp_path / "float.tif", np.array([[[0.0, np.nan]]], np.float32))
        with Raster(path, None) as raster, pytest.raises(RequestError, match="NaN or infinite"):
            raster.scale(values_range("auto"))

    def test_without_any_data_is_refused(self, tmp_path):
        path = write(tmp_path / "empty.tif", np.zeros((1, 4, 4), np.uint16), nodata=0)
        with Raster(path, None) as raster, pytest.raises(RequestError, match="No pixel of this image has data"):
            raster.scale(values_range("auto"))

    def test_in_colour_has_its_bands_by_their_names(self, tmp_path):
        values = np.arange(4, dtype=np.uint8).reshape(4, 1, 1)
        path = write(tmp_path / "colour.tif", values, photometric="rgb", alpha="yes")
        with Raster(path, None) as raster:
            assert raster.bands == [1, 2, 3]

    def test_has_bands_by_their_numbers(self, tmp_path):
        path = write(tmp_path / "bands.tif", np.arange(1, 6, dtype=np.uint8).reshape(5, 1, 1))
        with Raster(path, (4, 2, 1)) as raster:
            assert raster[0:1, 0:1].tolist() == [[[4, 2, 1]]]
        with pytest.raises(RequestError, match="5 bands, which are not named red, green and blue"):
            Raster(path, None)
        with pytest.raises(RequestError, match="no band 7: this image has 5"):
            Raster(path, (7,))

    @pytest.mark.parametrize("driver", ["VICAR", "ISIS3", "PDS4", "JP2OpenJPEG", "PNG"])
    def test_in_other_formats_is_read(self, tmp_path, driver):
        values = np.arange(64 * 64, dtype=np.uint8).reshape(1, 64, 64) % 200 + 1
        suffix = {"VICAR": "vic", "ISIS3": "cub", "PDS4": "xml", "JP2OpenJPEG": "jp2", "PNG": "png"}[driver]
        options = {"quality": "100", "reversible": "yes"} if driver == "JP2OpenJPEG" else {}
        path = write(tmp_path / f"image.{suffix}", values, driver=driver, **options)
        with Raster(path, None) as raster:
            np.testing.assert_array_equal(raster[0:64, 0:64][..., 0], values[0])

    @pytest.mark.parametrize("dtype", [np.int16, np.float32])
    def test_of_isis_has_special_pixels_without_data(self, tmp_path, dtype):
        null = -32768 if dtype == np.int16 else np.uint32(0xFF7FFFFB).view(np.float32)
        saturated = -32765 if dtype == np.int16 else np.uint32(0xFF7FFFFE).view(np.float32)
        values = np.array([[[null, saturated, 0, 255]]], dtype)
        with Raster(write(tmp_path / "cube.cub", values, driver="ISIS3"), None) as raster:
            assert raster.valid(slice(0, 1), slice(0, 4)).tolist() == [[False, False, True, True]]
            raster.scale(values_range("auto"))
            assert raster[0:1, 0:4][..., 0].tolist() == [[0, 0, 0, 255]]

    def test_that_is_none_is_refused_by_name(self, cli, run, tmp_path):
        (tmp_path / "text.tif").write_text("no image")
        answer = cli("predict", str(run), "text.tif", "--out", "map.tif")
        assert answer.code == 2
        assert "In: text.tif" in answer.err
        assert cli("predict", str(run), "none.tif", "--out", "map.tif").code == 2

    def test_without_georeference_gives_a_map_without_areas(self, cli, run, tmp_path):
        write(tmp_path / "plain.tif", np.full((1, 20, 40), 90, np.uint8), crs=None)
        answer = cli("predict", str(run), "plain.tif", "--out", "map.tif", "--json")
        assert answer.code == 0, answer.err
        assert "areas of the classes are not known" in answer.err
        assert {each["square_metres"] for each in json.loads(answer.out)["classes"]} == {None}

    def test_placed_by_control_points_gives_them_to_its_map(self, cli, run, tmp_path):
        points = [
            GroundControlPoint(row, column, x=column * 9.0, y=row * -9.0) for row in (0, 20) for column in (0, 40)
        ]
        path = tmp_path / "points.tif"
        size = {"count": 1, "height": 20, "width": 40, "dtype": "uint8"}
        with rasterio.open(path, "w", driver="GTiff", gcps=points, crs=MARS, **size) as dataset:
            dataset.write(np.full((1, 20, 40), 90, np.uint8))
        answer = cli("predict", str(run), "points.tif", "--out", "map.tif")
        assert answer.code == 0, answer.err
        with rasterio.open("map.tif") as made, rasterio.open(path) as source:
            assert [(p.row, p.col, p.x, p.y) for p in made.gcps[0]] == [(p.row, p.col, p.x, p.y) for p in points]
            assert made.gcps[1] == source.gcps[1]


class TestRequests:
    @pytest.mark.parametrize(
        ("words", "what"),
        [
            (["--out", "map.tif", "--overlay"], "--overlay cannot be used with a map"),
            (["--out", "map.tif", "--subset", "test"], "--subset cannot be used with a map"),
            (["--out", "masks", "--bands", "1"], "--bands is for maps"),
            (["--out", "masks", "--vectors", "map.gpkg"], "--vectors is for maps"),
            (["--out", "map.tif", "--vectors", "map.shp"], "written as a GeoPackage, not as 'map.shp'"),
            (["--out", "map.tif", "--vectors", "image.tif"], "'image.tif' exists"),
            (["--out", "map.tif", "--bands", "1,2"], "not 2 bands"),
            (["--out", "map.tif", "--pixel-limit", "100"], "more than the limit of 100"),
        ],
    )
    def test_that_are_invalid_are_refused_at_once(self, cli, run, image, words, what):
        answer = cli("predict", str(run), "image.tif", *words)
        assert answer.code == 2
        assert what in " ".join(answer.err.split())

    @pytest.mark.parametrize("text", ["", "red", "0", "1,,2", "1,2,3,4"])
    def test_bands_are_one_or_three_numbers_from_1(self, text):
        with pytest.raises(RequestError):
            parse_bands(text)

    def test_without_rasterio_name_the_extra(self, cli, run, image, monkeypatch):
        monkeypatch.setitem(sys.modules, "rasterio", None)
        answer = cli("predict", str(run), "image.tif", "--out", "map.tif")
        assert answer.code == 2
        assert 'pip install "marsseg[geo]"' in answer.err


def values_range(text):
    from marsseg_core.data.ranges import Range

    return Range.parse(text)
