"""`folder` with resize=windows: large images and their masks, read where there are labels."""

from __future__ import annotations

import logging
import sys

import numpy as np
import pytest
import rasterio
from affine import Affine

from marsseg_core.data.raster import Raster
from marsseg_core.errors import RequestError
from marsseg_plugins.datasets.folder import Folder

PLACE = Affine(100, 0, 5e5, 0, -100, 3e6)
MARS = "+proj=eqc +lat_ts=10 +lon_0=180 +R=3396190"


def write(path, bands, **options):
    """Write bands (H, W) or (C, H, W) as an image on Mars."""
    path.parent.mkdir(parents=True, exist_ok=True)
    stack = bands if bands.ndim == 3 else bands[None]
    count, height, width = stack.shape
    size = {"count": count, "height": height, "width": width, "dtype": stack.dtype}
    with rasterio.open(path, "w", **{"driver": "GTiff", "crs": MARS, "transform": PLACE, **size, **options}) as dataset:
        dataset.write(stack)
    return bands


class Mosaics:
    """A folder of images of 20 × 30 pixels, with the labels 0 to 2 in some places."""

    def __init__(self, path):
        self.path = path
        self.random = np.random.default_rng(0)

    def pair(self, stem="a", **options):
        # 0 is no value, and neither is 255 in an ISIS cube.
        image = write(self.path / f"images/{stem}.tif", self.random.integers(1, 255, (20, 30), np.uint8), **options)
        mask = np.full((20, 30), 255, np.uint8)
        mask[3:6, 2:8] = self.random.integers(0, 3, (3, 6))
        mask[18, 29] = 2
        write(self.path / f"masks/{stem}.tif", mask, nodata=255)
        return image, mask

    def load(self, **parameters):
        return Folder(str(self.path), **{"resize": "windows", "height": 8, "width": 10, **parameters}).load()

    def refusal(self, **parameters):
        with pytest.raises(RequestError) as caught:
            self.load(**parameters)
        return str(caught.value)


@pytest.fixture
def mosaics(tmp_path):
    return Mosaics(tmp_path / "mine")


class TestWindows:
    def test_are_cut_where_labels_are_and_named_by_their_place(self, mosaics, caplog):
        image, mask = mosaics.pair()
        with caplog.at_level(logging.WARNING):
            data = mosaics.load()
        places = [(0, 0), (12, 20)]  # the last row is moved inward
        np.testing.assert_array_equal(data.images[..., 0], [image[y : y + 8, x : x + 10] for y, x in places])
        np.testing.assert_array_equal(data.masks, [mask[y : y + 8, x : x + 10] for y, x in places])
        assert list(data.names) == ["a.tif@r0c0", "a.tif@r12c20"]
        assert data.class_names == ("class_0", "class_1", "class_2")
        assert "2 of 9 windows have labels; the others are left out." in caplog.text

    def test_with_few_labels_are_left_out(self, mosaics, caplog):
        mosaics.pair()
        with caplog.at_level(logging.WARNING):
            data = mosaics.load(least_labelled=0.1)
        assert list(data.names) == ["a.tif@r0c0"]
        assert "1 of 9 windows have enough labels; the others are left out." in caplog.text
        assert "5.26 % of the labelled pixels are in windows that have fewer" in caplog.text  # 1 of 19

    def test_of_an_image_are_one_group(self, mosaics):
        for stem in ("site/a", "site/b", "c"):
            mosaics.pair(stem)
        by_name = dict(zip(mosaics.load().names, mosaics.load().groups.tolist(), strict=True))
        groups = [by_name[f"{stem}.tif@r{place}"] for stem in ("site/a", "site/b", "c") for place in ("0c0", "12c20")]
        assert groups[0] == groups[1] == groups[2] == groups[3] != groups[4] == groups[5]

    def test_are_single_items_if_no_pixel_is_in_two(self, mosaics):
        mosaics.pair()
        data = mosaics.load(groups="none", edges="pad")
        assert data.groups is None
        assert list(data.names) == ["a.tif@r0c0", "a.tif@r16c20"]
        assert (data.masks[1, 4:] == 255).all()

    def test_have_no_labels_where_the_image_has_no_data(self, mosaics):
        image, mask = mosaics.pair()
        image[3:5] = 0
        write(mosaics.path / "images/a.tif", image, nodata=0)
        expected = mask.copy()
        expected[3:5] = 255
        np.testing.assert_array_equal(mosaics.load().masks[0], expected[:8, :10])

    def test_are_filled_up_from_a_smaller_image(self, mosaics, caplog):
        image, _ = mosaics.pair()
        with caplog.at_level(logging.WARNING):
            data = mosaics.load(height=32, width=32)
        assert data.images.shape == (1, 32, 32, 1)
        np.testing.assert_array_equal(data.images[0, :20, :30, 0], image)
        assert "1 of 1 images is smaller than a window, and is filled up with black and void." in caplog.text

    def test_read_neither_image_nor_mask_whole(self, mosaics, monkeypatch):
        mosaics.pair()
        read, most = Raster.stored, []

        def stored(self, rows, columns):
            values, valid = read(self, rows, columns)
            most.append(values[0].size)
            return values, valid

        monkeypatch.setattr(Raster, "stored", stored)
        mosaics.load()
        assert max(most) == 8 * 30

    def test_of_images_without_labels_are_refused(self, mosaics):
        mosaics.pair()
        write(mosaics.path / "masks/a.tif", np.full((20, 30), 255, np.uint8))
        assert "No window has labels: the masks are void wherever the images have data." in mosaics.refusal()

    def test_with_too_few_labels_everywhere_are_refused_with_the_parameter_to_change(self, mosaics):
        mosaics.pair()
        error = mosaics.refusal(least_labelled=0.9)
        assert "No window has enough labels: least_labelled=0.9 asks for more than any of them has." in error
        assert "Lower least_labelled" in error


class TestValues:
    def test_of_16_bits_are_scaled_by_those_of_the_windows(self, mosaics):
        image = mosaics.random.integers(0, 1024, (20, 30)).astype(np.uint16)
        image[10, 15] = 65535  # where no label is
        mosaics.pair()
        write(mosaics.path / "images/a.tif", image)
        data = mosaics.load()
        assert data.scaling.range_text == "0..1023@integers"
        np.testing.assert_array_equal(data.images[0, ..., 0], np.rint(image[:8, :10] / 1023 * 255))
        again = Folder(str(mosaics.path), resize="windows", height=8, width=10).with_scaling(data.scaling)
        assert again.range == "0..1023@integers"

    def test_may_be_stretched_by_percentiles_of_each_whole_image(self, mosaics):
        mosaics.pair()
        image = write(mosaics.path / "images/a.tif", mosaics.random.integers(0, 3000, (20, 30)).astype(np.uint16))
        data = mosaics.load(range="0%..100%", range_per="image")
        low, high = image.min(), image.max()
        np.testing.assert_array_equal(data.images[0, ..., 0], np.rint((image[:8, :10] - low) / (high - low) * 255.0))

    def test_are_those_of_the_bands_that_are_chosen(self, mosaics):
        mosaics.pair()
        bands = write(mosaics.path / "images/a.tif", mosaics.random.integers(0, 256, (5, 20, 30), np.uint8))
        assert "5 bands, which are not named red, green and blue" in mosaics.refusal()
        assert "with data.folder.bands" in mosaics.refusal()
        data = mosaics.load(bands=(4, 2, 1))
        np.testing.assert_array_equal(data.images[0], np.moveaxis(bands[[3, 1, 0], :8, :10], 0, -1))
        assert mosaics.load(bands=(5,)).images.shape[-1] == 1


class TestMasks:
    def test_may_have_a_table_of_colours(self, mosaics):
        _, mask = mosaics.pair()
        path = mosaics.path / "masks/a.tif"
        write(path, mask, photometric="palette")
        with rasterio.open(path, "r+") as dataset:
            dataset.write_colormap(1, {0: (1, 2, 3, 255), 1: (0, 0, 0, 255), 2: (9, 9, 9, 255)})
        np.testing.assert_array_equal(mosaics.load().masks[0], mask[:8, :10])

    def test_name_their_classes_in_the_class_file(self, mosaics):
        mosaics.pair()
        (mosaics.path / "classes.csv").write_text("sand\nrock\n")
        assert "value 2; the classes are 0 to 1 (sand, rock)" in mosaics.refusal()
        (mosaics.path / "classes.csv").write_text("sand\nrock\nsky\n")
        assert mosaics.load().class_names == ("sand", "rock", "sky")

    @pytest.mark.parametrize(
        ("mask", "options", "what"),
        [
            (np.zeros((20, 29), np.uint8), {}, r"20 × 29 pixels, but its image has 20 × 30"),
            (
                np.zeros((20, 30), np.uint8),
                {"transform": PLACE @ Affine.translation(3, 0)},
                "a corner is 3.0 pixels away",
            ),
            (np.zeros((2, 20, 30), np.uint8), {}, "this file has 2 bands"),
            (np.zeros((20, 30), np.float32), {}, "holds float32 values"),
            (np.full((20, 30), 300, np.uint16), {}, "values from 300 to 300"),
            (np.zeros((20, 30), np.uint8), {"compress": "jpeg"}, r"compression of this mask \(jpeg\) can change ids"),
        ],
    )
    def test_that_are_not_certain_are_refused(self, mosaics, mask, options, what):
        mosaics.pair()
        write(mosaics.path / "masks/a.tif", mask, **options)
        with pytest.raises(RequestError, match=what):
            mosaics.load()


class TestFiles:
    def test_of_other_formats_are_found(self, mosaics):
        image, _ = mosaics.pair()
        (mosaics.path / "images/a.tif").unlink()
        write(mosaics.path / "images/a.cub", image, driver="ISIS3")
        np.testing.assert_array_equal(mosaics.load().images[0, ..., 0], image[:8, :10])

    def test_are_read_once_and_again_if_a_part_changes(self, mosaics, monkeypatch):
        image, _ = mosaics.pair()
        tile = mosaics.path / "tiles/a.tif"
        write(tile, image)
        (mosaics.path / "images/a.tif").unlink()
        (mosaics.path / "images/a.vrt").write_text(
            '<VRTDataset rasterXSize="30" rasterYSize="20"><VRTRasterBand dataType="Byte" band="1"><SimpleSource>'
            '<SourceFilename relativeToVRT="1">../tiles/a.tif</SourceFilename><SourceBand>1</SourceBand></SimpleSource>'
            "</VRTRasterBand></VRTDataset>"
        )
        np.testing.assert_array_equal(mosaics.load().images[0, ..., 0], image[:8, :10])
        with monkeypatch.context() as patch:
            patch.setattr(Raster, "__getitem__", None)
            mosaics.load()
        write(tile, 255 - image)
        np.testing.assert_array_equal(mosaics.load().images[0, ..., 0], 255 - image[:8, :10])

    def test_without_rasterio_name_the_extra(self, mosaics, monkeypatch):
        mosaics.pair()
        monkeypatch.setitem(sys.modules, "rasterio", None)
        with pytest.raises(RequestError) as caught:
            mosaics.load()
        assert caught.value.hint == 'Install it: pip install "marsseg[geo]"'


@pytest.mark.parametrize(
    ("parameters", "what"),
    [
        ({"resize": "windows"}, "resize=windows needs height and width"),
        ({"bands": (1,)}, "bands and least_labelled need resize=windows"),
        ({"least_labelled": 0.5}, "bands and least_labelled need resize=windows"),
        ({"resize": "windows", "height": 8, "width": 8, "bands": (1, 2)}, "one grey band or three colours, not 2"),
        ({"resize": "windows", "height": 8, "width": 8, "binary": True}, "binary has no meaning"),
        ({"resize": "windows", "height": 8, "width": 8, "groups": "none"}, "needs edges=pad and overlap=0"),
    ],
)
def test_parameters_that_do_not_go_together_are_refused(parameters, what):
    with pytest.raises(ValueError, match=what):
        Folder("there", **parameters)
