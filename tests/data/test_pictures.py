"""Test reading and writing of image files, and the errors for files that cannot be read exactly."""

from __future__ import annotations

import io
import struct
import zlib
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image, PngImagePlugin, TiffImagePlugin

from marsseg_core.data.images import (
    PIXEL_LIMIT,
    image_size,
    orientation_of,
    png_picture,
    read_image,
    read_mask,
    write_mask,
    write_png,
)
from marsseg_core.errors import RequestError, RunError

# Pillow warns about damaged files before it fails.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:PIL")

GREY = np.random.default_rng(0).integers(0, 256, (9, 7), np.uint8)
COLOUR = np.random.default_rng(1).integers(0, 256, (9, 7, 3), np.uint8)
IDS = np.random.default_rng(2).integers(0, 5, (9, 7), np.uint8)
PALETTE = {(0, 0, 0): 0, (200, 30, 30): 1, (30, 200, 30): 2, (30, 30, 200): 3, (9, 9, 9): 4, (255, 255, 255): 255}

LOSSLESS = ["png", "tif"]
FORMATS = [("png", {}), ("tif", {}), ("bmp", {}), ("webp", {"lossless": True})]


@pytest.fixture
def save(tmp_path):
    """Return a function: `save(picture, "png")` writes a Pillow image or an array and returns the path."""

    def write(picture, suffix="png", **options) -> Path:
        path = tmp_path / f"picture.{suffix}"
        (picture if isinstance(picture, Image.Image) else Image.fromarray(picture)).save(path, **options)
        return path

    return write


def refusal(read, path, **options) -> str:
    with pytest.raises(RequestError) as caught:
        read(path, **options)
    assert caught.value.where == str(path)
    return caught.value.what


# --- images


@pytest.mark.parametrize("suffix", LOSSLESS)
def test_grey_and_colour_images_keep_their_channels(save, suffix):
    grey, colour = read_image(save(GREY, suffix)), read_image(save(COLOUR, suffix))
    np.testing.assert_array_equal(grey, GREY[..., None])
    np.testing.assert_array_equal(colour, COLOUR)
    assert grey.dtype == colour.dtype == np.uint8


@pytest.mark.parametrize(("pixels", "channels"), [(GREY, 1), (COLOUR, 3)])
def test_a_jpeg_is_read_as_it_decodes(save, pixels, channels):
    path = save(np.full_like(pixels, 90), "jpg", quality=95)
    read = read_image(path)
    assert read.shape == (9, 7, channels)
    assert np.abs(read.astype(int) - 90).max() <= 2


@pytest.mark.parametrize("suffix", LOSSLESS)
def test_black_and_white_is_grey(save, suffix):
    read = read_image(save(Image.fromarray(GREY > 128), suffix))
    np.testing.assert_array_equal(read[..., 0], np.where(GREY > 128, 255, 0))


@pytest.mark.parametrize("suffix", LOSSLESS)
def test_sixteen_bits_become_eight_over_the_whole_range(save, suffix):
    deep = np.array([[0, 65535, 32768, 128, 129, 257, 65406]], np.uint16)
    np.testing.assert_array_equal(read_image(save(deep, suffix))[..., 0], [[0, 255, 128, 0, 1, 1, 254]])


def test_palettes_become_colours_or_grey_values(save):
    few = Image.fromarray(COLOUR).quantize(4)
    np.testing.assert_array_equal(read_image(save(few)), np.asarray(few.convert("RGB")))
    shades = Image.fromarray(IDS)
    shades.putpalette(bytes(shade for value in range(256) for shade in (255 - value,) * 3))
    np.testing.assert_array_equal(read_image(save(shades)), 255 - IDS[..., None])


@pytest.mark.parametrize("suffix", LOSSLESS)
def test_transparency_is_dropped(save, suffix):
    alpha = np.full((9, 7, 1), 7, np.uint8)
    np.testing.assert_array_equal(read_image(save(np.concatenate([COLOUR, alpha], axis=-1), suffix)), COLOUR)
    read = read_image(save(Image.merge("LA", [Image.fromarray(GREY), Image.fromarray(alpha[..., 0])]), suffix))
    np.testing.assert_array_equal(read, GREY[..., None])


@pytest.mark.parametrize("suffix", ["jpg", "tif"])
def test_cmyk_is_converted(save, suffix):
    picture = Image.fromarray(np.full((9, 7, 3), (200, 100, 50), np.uint8)).convert("CMYK")
    read = read_image(save(picture, suffix))
    assert np.abs(read.astype(int) - (200, 100, 50)).max() <= 3


@pytest.mark.parametrize(("suffix", "options"), FORMATS)
def test_colours_are_exact_in_every_format_without_loss(save, suffix, options):
    np.testing.assert_array_equal(read_image(save(COLOUR, suffix, **options)), COLOUR)


def test_bmp_gif_and_webp_are_read_as_they_decode(save):
    np.testing.assert_array_equal(read_image(save(GREY, "bmp"))[..., 0], GREY)
    np.testing.assert_array_equal(read_image(save(GREY > 128, "bmp"))[..., 0], np.where(GREY > 128, 255, 0))
    np.testing.assert_array_equal(read_image(save(GREY, "gif"))[..., 0], GREY)
    few = Image.fromarray(COLOUR).quantize(4)
    np.testing.assert_array_equal(read_image(save(few, "gif")), np.asarray(few.convert("RGB")))
    np.testing.assert_array_equal(read_image(save(few, "bmp")), np.asarray(few.convert("RGB")))
    lossy = read_image(save(np.full_like(COLOUR, 90), "webp"))
    assert lossy.shape == COLOUR.shape
    assert np.abs(lossy.astype(int) - 90).max() <= 2


def test_the_orientation_of_a_webp_is_applied(save):
    exif = Image.Exif()
    exif[274] = 6
    path = save(COLOUR, "webp", lossless=True, exif=exif)
    np.testing.assert_array_equal(read_image(path), np.rot90(COLOUR, -1))
    assert orientation_of(path) == 6


def test_the_format_is_detected_from_the_content_not_the_suffix(save, tmp_path):
    path = save(COLOUR, "png").rename(tmp_path / "picture.jpg")
    np.testing.assert_array_equal(read_image(path), COLOUR)


@pytest.mark.parametrize("suffix", LOSSLESS)
@pytest.mark.parametrize("read", [read_image, read_mask])
def test_one_pixel_is_an_image(save, suffix, read):
    assert read(save(np.array([[3]], np.uint8), suffix)).reshape(-1).tolist() == [3]


@pytest.mark.parametrize(
    ("picture", "what"),
    [
        (np.zeros((2, 2), np.int32), "This image holds int32 values; 8 or 16 bits are expected."),
        (np.zeros((2, 2), np.float32), "This image holds float32 values; 8 or 16 bits are expected."),
        (Image.new("LAB", (2, 2)), "Pixels of the kind LAB are neither grey values nor colours."),
    ],
)
def test_other_kinds_of_pixels_are_refused(save, picture, what):
    assert refusal(read_image, save(picture, "tif")) == what


# --- masks


@pytest.mark.parametrize("suffix", LOSSLESS)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_the_values_of_a_one_channel_mask_are_ids(save, suffix, dtype):
    ids = IDS.astype(dtype)
    ids[0, 0] = 255
    read = read_mask(save(ids, suffix))
    np.testing.assert_array_equal(read, ids)
    assert read.dtype == np.uint8


def test_masks_as_bmp_gif_and_webp_are_exact_or_refused(save):
    ids = IDS.copy()
    ids[0, 0] = 255
    np.testing.assert_array_equal(read_mask(save(ids, "bmp")), ids)
    np.testing.assert_array_equal(read_mask(save(ids, "webp", lossless=True)), ids)
    assert refusal(read_mask, save(ids, "webp")) == "A lossy WebP mask has lost its exact ids."
    colours = np.zeros((9, 7, 3), np.uint8)
    for colour, label in PALETTE.items():
        colours[ids == label] = colour
    for suffix, options in (("bmp", {}), ("webp", {"lossless": True}), ("gif", {})):
        picture = Image.fromarray(colours)
        path = save(picture.quantize(16) if suffix == "gif" else picture, suffix, **options)
        np.testing.assert_array_equal(read_mask(path, palette=PALETTE), ids)
        assert "a mask has one channel of class ids" in refusal(read_mask, path)
    indexed = Image.fromarray(IDS)
    indexed.putpalette(bytes(shade for value in range(256) for shade in (value // 2, 7, 7)))
    for suffix in ("gif", "bmp"):
        np.testing.assert_array_equal(read_mask(save(indexed, suffix, optimize=False), indices=True), IDS)


def test_a_transparent_webp_is_refused_as_a_mask(save):
    picture = Image.new("RGBA", (3, 3), (1, 1, 1, 255))
    picture.putpixel((1, 1), (1, 1, 1, 0))
    path = save(picture, "webp", lossless=True, exact=True)
    assert refusal(read_mask, path) == "This is a colour image; a mask has one channel of class ids."
    assert refusal(read_mask, path, palette={(1, 1, 1): 1}) == "The mask is transparent in places."


def test_a_gif_whose_frame_is_smaller_than_the_mask_is_refused(save):
    path = save(GREY, "gif")
    content = bytearray(path.read_bytes())
    content[6:10] = struct.pack("<HH", 10, 10)  # the size of the whole; the frame is 7 × 9
    path.write_bytes(content)
    assert read_image(path).shape == (10, 10, 1)
    assert refusal(read_mask, path) == "The frame of this GIF does not cover all of the mask."


def bmp(path: Path, rows: list[bytes], width: int, bits: int, greys: list[int]) -> Path:
    """Write a BMP with a palette of greys, from the lowest row to the highest."""
    palette = b"".join(bytes([grey] * 3 + [0]) for grey in greys)
    pixels = b"".join(row + bytes(-len(row) % 4) for row in rows)
    header = struct.pack("<IiiHHIIiiII", 40, width, len(rows), 1, bits, 0, len(pixels), 0, 0, len(greys), 0)
    path.write_bytes(b"BM" + struct.pack("<IHHI", 0, 0, 0, 54 + len(palette)) + header + palette + pixels)
    return path


@pytest.mark.parametrize("read", [read_image, read_mask])
def test_a_bmp_that_pillow_takes_for_another_depth_is_refused(tmp_path, read):
    """With 8 bits and the two greys 0 and 255, it takes each bit for a pixel: 0, 1, 0, 1 became 0, 0, 0, 0."""
    path = bmp(tmp_path / "a.bmp", [bytes([0, 1, 0, 1])], 4, 8, [0, 255])
    assert refusal(read, path) == "This BMP image of 8 bits with few grey values cannot be read exactly."
    path = bmp(tmp_path / "b.bmp", [bytes([0x01, 0x23])], 4, 4, list(range(16)))
    assert refusal(read, path) == "This BMP image of 4 bits with few grey values cannot be read exactly."
    path = bmp(tmp_path / "c.bmp", [bytes([0b01010000])], 4, 1, [0, 255])
    assert (read(path).ravel() > 0).tolist() == [False, True, False, True]


def test_a_mask_of_one_bit_is_0_and_1(save):
    np.testing.assert_array_equal(read_mask(save(Image.fromarray(IDS > 2))), IDS > 2)


@pytest.mark.parametrize("mode", ["P", "RGB", "RGBA"])
@pytest.mark.parametrize("suffix", LOSSLESS)
def test_colours_are_looked_up_in_the_palette(save, suffix, mode):
    ids = IDS.copy()
    ids[0, 0] = 255
    colours = np.zeros((9, 7, 3), np.uint8)
    for colour, label in PALETTE.items():
        colours[ids == label] = colour
    picture = Image.fromarray(colours)
    picture = picture.quantize(16) if mode == "P" else picture.convert(mode)
    np.testing.assert_array_equal(read_mask(save(picture, suffix), palette=PALETTE), ids)


@pytest.mark.parametrize(("mode", "what"), [("P", "palette"), ("RGB", "colour"), ("RGBA", "colour")])
def test_colours_without_a_palette_are_refused(save, mode, what):
    path = save(Image.fromarray(COLOUR).convert(mode))
    assert refusal(read_mask, path) == f"This is a {what} image; a mask has one channel of class ids."


@pytest.mark.parametrize("suffix", ["png", "tif"])
@pytest.mark.parametrize("palette", [None, PALETTE])
def test_the_indices_of_a_palette_are_ids_on_request(save, suffix, palette):
    ids = IDS.copy()
    ids[0, 0] = 255
    picture = Image.fromarray(ids)
    picture.putpalette(bytes(shade for value in range(256) for shade in (value // 2, 7, 7)))
    np.testing.assert_array_equal(read_mask(save(picture, suffix), palette=palette, indices=True), ids)
    few = Image.fromarray(IDS)
    few.putpalette(bytes(range(15)))  # few colours: Pillow writes fewer bits a pixel
    np.testing.assert_array_equal(read_mask(save(few, suffix, bits=4), indices=True), IDS)


def test_indices_change_nothing_for_other_masks(save):
    np.testing.assert_array_equal(read_mask(save(IDS), indices=True), IDS)
    with pytest.raises(RequestError, match="This is a colour image") as caught:
        read_mask(save(COLOUR), indices=True)
    assert caught.value.hint.startswith("To read such masks, give each class its colour in a class file, which is")
    assert caught.value.hint.endswith(" and 55 more.")


class TestAMaskOfMarsseg:
    """It has a palette, so that programs show it in colour; the indices are the ids."""

    IDS = np.array([[0, 1, 2], [4, 3, 255]], np.uint8)
    COLOURS = np.stack([np.arange(256)[::-1], np.full(256, 7), np.arange(256)], axis=-1).astype(np.uint8)

    @pytest.fixture
    def mask(self, tmp_path):
        write_mask(tmp_path / "mask.png", self.IDS, self.COLOURS)
        return tmp_path / "mask.png"

    def test_is_shown_in_colour(self, mask):
        with Image.open(mask) as picture:
            assert picture.mode == "P"
            assert (np.array(picture.convert("RGB")) == self.COLOURS[self.IDS]).all()

    @pytest.mark.parametrize("options", [{}, {"indices": True}, {"palette": {(1, 2, 3): 0, (4, 5, 6): 1}}])
    def test_is_read_like_a_mask_of_one_channel(self, mask, save, options):
        grey = save(Image.fromarray(self.IDS), "grey.png")
        assert (read_mask(mask, **options) == self.IDS).all()
        assert (read_mask(grey, **options) == self.IDS).all()

    def test_whose_palette_another_program_has_changed_is_a_palette_image(self, mask):
        with Image.open(mask) as picture:
            note = PngImagePlugin.PngInfo()
            note.add_text("marsseg", picture.info["marsseg"])
            picture.putpalette(self.COLOURS[::-1].tobytes())
            picture.save(mask, pnginfo=note)
        with pytest.raises(RequestError, match="This is a palette image"):
            read_mask(mask)


def test_the_hint_about_colours_lists_those_of_the_mask(save):
    two = np.zeros((9, 7, 3), np.uint8)
    two[0, 0] = (255, 0, 10)
    with pytest.raises(RequestError) as caught:
        read_mask(save(two))
    assert caught.value.hint.endswith("lines name,r,g,b. The colours of this mask are (0, 0, 0), (255, 0, 10).")


def test_the_hint_about_black_and_white_names_the_parameter(save):
    with pytest.raises(RequestError) as caught:
        read_mask(save(np.repeat(np.uint8([[[0], [255]]]), 3, axis=-1)))
    assert caught.value.hint.endswith("If black and white are its two classes, set binary=true.")


def test_the_hint_about_a_palette_names_both_ways(save):
    with pytest.raises(RequestError) as caught:
        read_mask(save(Image.fromarray(COLOUR).quantize(4)))
    assert caught.value.hint.startswith(
        "To read such masks, give each class its colour in a class file, which is classes.csv in the folder of the data"
    )
    assert caught.value.hint.endswith(" If the indices of the palette are the ids, set palette=indices.")


def test_a_colour_missing_in_the_palette_is_refused(save):
    colours = np.zeros((4, 4, 3), np.uint8)
    colours[2, 1] = 1, 2, 3
    what = refusal(read_mask, save(colours), palette={(0, 0, 0): 0, (1, 2, 5): 1}, names=("soil", "rock"))
    assert what == (
        "The mask has the colour 1,2,3, which belongs to no class. 1 of its 16 pixels has it, the first in row 2, "
        "column 1 (counted from 0). The nearest colour is 1,2,5, rock."
    )


def test_another_colour_that_is_missing_is_counted(save):
    colours = np.zeros((4, 4, 3), np.uint8)
    colours[2, :2], colours[3, 3] = (1, 2, 3), (9, 9, 9)
    what = refusal(read_mask, save(colours), palette={(0, 0, 0): 0})
    assert "2 of its 16 pixels have it" in what
    assert what.endswith("1 more pixel has 1 other colour of no class.")


def test_many_colours_that_miss_in_the_palette_are_signs_of_interpolation(save):
    colours = np.zeros((4, 4, 3), np.uint8)
    colours[1:, :, 0] = np.arange(12).reshape(3, 4) + 100
    with pytest.raises(RequestError) as caught:
        read_mask(save(colours), palette=PALETTE)
    assert "11 more pixels have 11 other colours of no class. So many colours mean that the" in caught.value.what
    assert caught.value.hint.startswith("Export the mask again without interpolation")


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif"])
def test_the_size_of_an_image_is_that_when_it_is_turned(tmp_path, suffix):
    lying = Image.Exif()
    lying[0x0112] = 6
    for exif, size in ((None, (2, 3)), (lying, (3, 2))):
        path = tmp_path / f"sized.{suffix}"
        Image.new("RGB", (3, 2)).save(path, **({} if exif is None else {"exif": exif}))
        assert image_size(path) == size == read_image(path).shape[:2]


def test_a_transparent_mask_is_refused(save):
    picture = Image.new("RGBA", (3, 3), (0, 0, 0, 255))
    picture.putpixel((1, 1), (0, 0, 0, 0))
    assert refusal(read_mask, save(picture), palette=PALETTE) == "The mask is transparent in places."
    assert refusal(read_mask, save(picture.convert("LA"))) == "Pixels of the kind LA are not class ids."


def test_ids_above_255_are_refused(save):
    assert refusal(read_mask, save(np.array([[1, 256]], np.uint16))) == (
        "The mask has values from 1 to 256; ids are 0 to 255."
    )
    assert refusal(read_mask, save(np.array([[-1, 2]], np.int32), "tif")) == (
        "The mask has values from -1 to 2; ids are 0 to 255."
    )


def test_floats_are_refused_as_a_mask(save):
    assert refusal(read_mask, save(np.zeros((2, 2), np.float32), "tif")) == "Pixels of the kind F are not class ids."


def test_a_jpeg_is_refused_as_a_mask(save):
    assert refusal(read_mask, save(GREY, "jpg")) == "A JPEG mask has lost its exact ids."


# --- invalid files

both = pytest.mark.parametrize("read", [read_image, read_mask])


@both
def test_a_missing_file_is_refused(tmp_path, read):
    assert refusal(read, tmp_path / "gone.png") == "This file cannot be read: No such file or directory."
    assert refusal(read, tmp_path) == "This file cannot be read: Is a directory."
    with pytest.raises(RequestError, match="null byte"):
        read("a\0b.png")


@both
def test_a_file_without_permission_is_refused(save, monkeypatch, read):
    path = save(GREY)

    def forbidden(*_, **__):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "open", forbidden)
    assert refusal(read, path) == "This file cannot be read: Permission denied."


@both
@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "This file is empty."),
        (b"hello", "This file is not a PNG, JPEG, TIFF, BMP, WebP or GIF."),
        (b"GIF89a" + bytes(20), "This image is damaged"),
        (b"RIFF\4\0\0\0WEBP", "This image is damaged"),
        (b"BM" + bytes(60), "This file cannot be read"),
        (b"\x89PNG\r\n\x1a\n", "This image is damaged"),
        (b"\xff\xd8\xff\xe0", "This image is damaged"),
        (b"II*\x00", "This image is damaged"),
    ],
)
def test_a_file_that_is_no_image_is_refused(tmp_path, read, content, what):
    path = tmp_path / "picture.png"
    path.write_bytes(content)
    assert refusal(read, path).startswith(what)


@both
@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_a_file_with_several_images_is_refused(save, read, suffix):
    path = save(GREY, suffix, save_all=True, append_images=[Image.fromarray(255 - GREY)])
    assert refusal(read, path) == "This file holds 2 images; one is expected."


@both
@pytest.mark.parametrize("suffix", ["gif", "webp"])
def test_an_animation_is_refused_by_name(save, read, suffix):
    path = save(GREY, suffix, save_all=True, append_images=[Image.fromarray(255 - GREY)], lossless=True)
    name = {"gif": "GIF", "webp": "WebP"}[suffix]
    assert refusal(read, path) == f"This {name} is animated; one image is expected."


def tiff_of(pages: list[dict[int, int]], *, big: bool = False, order: str = "<") -> bytes:
    """Write a TIFF of black images of 8 bits: each page gives the tags that differ from 4 × 4 pixels."""
    content = bytearray({"<": b"II", ">": b"MM"}[order] + struct.pack(f"{order}H", 43 if big else 42))
    content += struct.pack(f"{order}HHQ", 8, 0, 16) if big else struct.pack(f"{order}I", 8)
    for number, page in enumerate(pages, start=1):
        tags = {256: 4, 257: 4, 258: 8, 259: 1, 262: 1, 273: 0, 277: 1, 278: 4} | page
        tags[279] = tags[256] * tags[257]
        if 322 in tags:
            tags |= {324: 0, 325: tags[322] * tags[323]}
        length = (8 + 20 * len(tags) + 8) if big else (2 + 12 * len(tags) + 4)
        pixels = len(content) + length
        for key in {273, 324} & set(tags):
            tags[key] = pixels
        size = tags.get(325, tags[279])
        content += struct.pack(f"{order}Q" if big else f"{order}H", len(tags))
        for tag, value in sorted(tags.items()):
            content += struct.pack(f"{order}HHQQ" if big else f"{order}HHII", tag, 4, 1, value)
        following = pixels + size if number < len(pages) else 0
        content += struct.pack(f"{order}Q" if big else f"{order}I", following) + bytes(size)
    return bytes(content)


TILES = {322: 16, 323: 16}
LEVELS = {
    "flags": ([{256: 4}, {254: 1, 256: 2, 257: 2}, {254: 1, 256: 1, 257: 1}], (4, 4)),
    "tiles": ([{256: 9, 257: 5, **TILES}, {256: 5, 257: 3, **TILES}, {256: 3, 257: 2, **TILES}], (5, 9)),
}


@both
@pytest.mark.parametrize("levels", LEVELS)
@pytest.mark.parametrize(("big", "order"), [(False, "<"), (False, ">"), (True, "<")])
def test_of_a_pyramid_the_first_image_is_read(tmp_path, read, levels, big, order):
    pages, size = LEVELS[levels]
    path = tmp_path / "a.tif"
    path.write_bytes(tiff_of(pages, big=big, order=order))
    assert read(path).shape[:2] == size


def test_a_tiff_may_end_before_the_place_of_a_next_image(save):
    path = save(GREY, "tif")
    content = path.read_bytes()
    start = struct.unpack("<I", content[4:8])[0]
    length = 2 + 12 * struct.unpack("<H", content[start : start + 2])[0]
    ifd = content[start : start + length]
    moved = content[:4] + struct.pack("<I", len(content)) + content[8:] + ifd
    path.write_bytes(moved)
    np.testing.assert_array_equal(read_image(path)[..., 0], GREY)


OTHERS = {
    "a page of the same size": [{}, {}],
    "a larger page": [{}, {254: 1, 256: 8, 257: 8}],
    "a first page that is a copy itself": [{254: 1}, {254: 1, 256: 2, 257: 2}],
    "a transparency mask": [{}, {254: 4}],
    "a document": [{254: 2}, {254: 2, 256: 2, 257: 2}],
    "smaller, but not tiled": [{}, {256: 2, 257: 2}],
    "another ratio": [{256: 40, 257: 40, **TILES}, {256: 20, 257: 5, **TILES}],
}


@both
@pytest.mark.parametrize("pages", OTHERS.values(), ids=OTHERS)
def test_other_files_with_two_images_are_refused(tmp_path, read, pages):
    path = tmp_path / "a.tif"
    path.write_bytes(tiff_of(pages))
    assert refusal(read, path) == "This file holds 2 images; one is expected."


def test_the_images_of_a_file_are_not_counted_to_the_end(tmp_path, monkeypatch):
    def count(self):
        raise AssertionError("Pillow reads the tags of every image to count them")

    monkeypatch.setattr(TiffImagePlugin.TiffImageFile, "n_frames", property(count))
    path = tmp_path / "a.tif"
    path.write_bytes(tiff_of([{}] * 500))
    assert refusal(read_image, path) == "This file holds more than 100 images; one is expected."
    endless = bytearray(tiff_of([{}, {}]))
    endless[-20:-16] = struct.pack("<I", 8)  # the second image is followed by the first
    path.write_bytes(endless)
    assert refusal(read_image, path) == "This file holds more than 100 images; one is expected."


def chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def huge_png(path: Path, height: int, width: int) -> Path:
    """Write a small file with a huge black image."""
    rows = zlib.compressobj(9)
    packed = b"".join(rows.compress(bytes(1 + width)) for _ in range(height)) + rows.flush()
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", packed) + chunk(b"IEND", b""))
    return path


@both
@pytest.mark.parametrize("suffix", ["bmp", "gif", "webp"])
def test_the_limit_is_checked_before_memory_is_taken(save, read, suffix):
    path = save(GREY, suffix, lossless=True)
    content = bytearray(path.read_bytes())
    if suffix == "webp":
        content[21:25] = struct.pack("<I", 16_383 | 16_383 << 14)
        size = "16,384 × 16,384"
    else:
        place, code = {"bmp": (18, "<II"), "gif": (6, "<HH")}[suffix]
        content[place : place + struct.calcsize(code)] = struct.pack(code, 50_000, 60_000)
        size = "60,000 × 50,000"
    path.write_bytes(content)
    assert refusal(read, path) == f"This image has {size} pixels, more than the limit of 100,000,000 in all."


@both
def test_an_image_of_20_000_by_20_000_is_refused_by_the_limit(tmp_path, read):
    path = huge_png(tmp_path / "huge.png", 20_000, 20_000)
    assert path.stat().st_size < 500_000
    what = refusal(read, path)
    assert what == "This image has 20,000 × 20,000 pixels, more than the limit of 100,000,000 in all."


def test_the_limit_can_be_raised_and_lowered(save, tmp_path):
    assert PIXEL_LIMIT == 100_000_000
    # More than Pillow's own limit for an error.
    path = huge_png(tmp_path / "huge.png", 13_500, 13_500)
    assert read_mask(path, limit=13_500**2).shape == (13_500, 13_500)
    path = save(GREY)
    assert read_image(path, limit=63).shape == (9, 7, 1)
    assert "more than the limit of 62" in refusal(read_image, path, limit=62)


def test_text_that_decompresses_to_gigabytes_is_refused(tmp_path):
    bomb = b"Comment\x00\x00" + zlib.compress(bytes(100_000_000), 9)
    path = huge_png(tmp_path / "bomb.png", 2, 2)
    content = path.read_bytes()
    path.write_bytes(content[:33] + chunk(b"zTXt", bomb) + content[33:])
    assert "too large" in refusal(read_image, path)


# --- writing


@given(pixels=arrays.arrays(np.uint8, st.tuples(st.integers(1, 8), st.integers(1, 8), st.sampled_from([1, 3]))))
def test_a_written_image_is_read_back(tmp_path_factory, pixels):
    path = tmp_path_factory.mktemp("out") / "a.png"
    write_png(path, pixels)
    np.testing.assert_array_equal(read_image(path), pixels)
    write_png(path, pixels[..., 0])
    np.testing.assert_array_equal(read_mask(path), pixels[..., 0])


@given(ids=arrays.arrays(np.uint8, (5, 4), elements=st.sampled_from(sorted(PALETTE.values()))))
def test_ids_written_as_colours_are_read_back_as_ids(tmp_path_factory, ids):
    path = tmp_path_factory.mktemp("out") / "a.png"
    png_picture(ids, PALETTE).save(path)
    np.testing.assert_array_equal(read_mask(path, palette=PALETTE), ids)


def test_an_image_is_written_atomically(tmp_path, monkeypatch):
    path = tmp_path / "a.png"
    write_png(path, GREY)
    before = path.read_bytes()

    def full(self, target, **_):
        Path(target).write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full)
    with pytest.raises(RunError, match="No space left on device"):
        write_png(path, 255 - GREY)
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.png"]


# --- random files

MAGICS = [b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"II*\x00", b"MM\x00*", b"MM\x00+", b"BM", b"GIF89a"]
MAGICS += [b"RIFF\0\0\0\0WEBP", b"RIFF\0\0\0\0WEBPVP8L"]

random_files = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)


@pytest.fixture(scope="module")
def intact_files() -> dict[str, bytes]:
    files = {}
    kinds = {"png": {}, "jpg": {"quality": 90}, "tif": {}, "tif lzw": {"compression": "tiff_lzw"}}
    kinds |= {"bmp": {}, "gif": {}, "webp": {}, "webp lossless": {"lossless": True}}
    for kind, options in kinds.items():
        for name, pixels in (("grey", GREY), ("colour", COLOUR)):
            file = io.BytesIO()
            suffix = kind.partition(" ")[0]
            Image.fromarray(pixels).save(file, {"jpg": "JPEG", "tif": "TIFF"}.get(suffix, suffix.upper()), **options)
            files[f"{kind} {name}"] = file.getvalue()
    return files


def read_or_refuse(path: Path) -> None:
    for read, dimensions in ((read_image, 3), (read_mask, 2)):
        with suppress(RequestError):
            read_array = read(path, limit=10_000)
            assert (read_array.dtype, read_array.ndim) == (np.uint8, dimensions)
            assert read_array.size > 0


@random_files
@given(data=st.data())
def test_a_truncated_or_changed_file_is_refused_or_read(intact_files, tmp_path, data):
    content = bytearray(intact_files[data.draw(st.sampled_from(sorted(intact_files)))])
    path = tmp_path / "changed"
    if data.draw(st.booleans()):
        content = content[: data.draw(st.integers(0, len(content) - 1))]
    else:
        for _ in range(data.draw(st.integers(1, 5))):
            content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    read_or_refuse(path)


@random_files
@given(
    content=st.binary(max_size=200),
    magic=st.sampled_from(MAGICS),
)
def test_garbage_is_refused(tmp_path, content, magic):
    path = tmp_path / "garbage"
    path.write_bytes(magic + content)
    refusal(read_image, path)


@pytest.mark.parametrize("kind", ["png grey", "jpg grey", "tif grey", "tif lzw colour"])
def test_a_file_without_its_second_half_is_refused(intact_files, tmp_path, kind):
    path = tmp_path / "half"
    path.write_bytes(intact_files[kind][: len(intact_files[kind]) // 2])
    assert refusal(read_image, path).startswith(("This image is damaged", "This file cannot be read"))
