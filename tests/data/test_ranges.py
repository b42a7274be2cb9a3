"""Test which values of images become black and white: by rules from the whole data set, or as requested."""

from __future__ import annotations

import json
import re
import shutil
import struct
import zlib
from dataclasses import replace
from pathlib import Path
from weakref import WeakSet

import numpy as np
import pytest
from helpers.messages import warned_of
from hypothesis import HealthCheck, example, given, settings, strategies as st
from PIL import Image, TiffImagePlugin

import marsseg_core as marsseg
from marsseg_core import api
from marsseg_core.data.image_reader import ImageReader
from marsseg_core.data.ranges import ImageChunk, Range, determine_scaling
from marsseg_core.data.scaling import SIXTEEN_BITS, Scaling, scaled_values
from marsseg_core.errors import RequestError
from marsseg_core.files.run_folder import RunFolder
from marsseg_core.inference.given_images import GivenImages
from marsseg_core.registry import kinds
from marsseg_core.runs.data import read_data
from marsseg_core.runs.recorded_data import recorded_scaling, recorded_split
from marsseg_plugins.datasets.folder import Folder
from marsseg_plugins.datasets.npz import Npz
from marsseg_plugins.datasets.synthetic import Synthetic

pytestmark = pytest.mark.usefixtures("without_reports")

MASKS = np.ones((2, 1, 2), np.uint8)


@pytest.fixture(autouse=True)
def separate_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("MARSSEG_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def npz(tmp_path):
    """Return a function: `npz([[0, 1], [2, 3]], "uint16", range="bits")` is a data set of two images of two pixels."""

    def made(values, dtype, test=None, **words) -> Npz:
        path = tmp_path / "data.npz"
        more = {} if test is None else {"test_set": np.asarray(test)}
        np.savez(path, images=np.array(values, dtype).reshape(2, 1, 2), masks=MASKS, **more)
        return Npz(str(path), **words)

    return made


@pytest.fixture
def folder(tmp_path):
    """Return a function: `folder(first, second)` is a data set of image files, (H, W) or (H, W, C) each."""

    def made(*images, suffix="tif", **words) -> Folder:
        root = tmp_path / "folder"
        for kind in ("images", "masks"):
            (root / kind).mkdir(parents=True, exist_ok=True)
        for number, image in enumerate(images):
            Image.fromarray(np.asarray(image)).save(root / "images" / f"{number}.{suffix}")
            Image.fromarray(np.ones(np.shape(image)[:2], np.uint8)).save(root / "masks" / f"{number}.png")
        return Folder(str(root), **words)

    return made


def scaled_pixels(data) -> list[int]:
    return data.load().images.ravel().tolist()


# --- the rules of auto


@pytest.mark.parametrize(
    ("values", "dtype", "expected", "scaling"),
    [
        ([0.0, 0.5, 0.25, 1.0], "float64", [0, 128, 64, 255], Scaling(0, 1, "floats")),
        ([0.0, 0.5, 0.25, 0.5], "float16", [0, 128, 64, 128], Scaling(0, 1, "floats")),
        ([0.0, 127.6, 3, 255], "float32", [0, 128, 3, 255], None),
        ([0, 0, 0, 0], "float32", [0, 0, 0, 0], None),
        ([0, 7, 8, 255], "uint16", [0, 7, 8, 255], None),
        ([0, 7, 8, 200], "int64", [0, 7, 8, 200], None),
        ([0, 1, 1, 1], "uint8", [0, 1, 1, 1], None),
        ([0, 256, 512, 1023], "uint16", [0, 64, 128, 255], Scaling(0, 1023, "integers")),
        ([0, 1024, 2048, 4095], "uint16", [0, 64, 128, 255], Scaling(0, 4095, "integers")),
        ([0, 4096, 8191, 16383], ">i4", [0, 64, 127, 255], Scaling(0, 16383, "integers")),
        ([0, 16384, 257, 65535], "uint16", [0, 64, 1, 255], SIXTEEN_BITS),
    ],
)
def test_auto_finds_the_range_from_the_whole_set(npz, values, dtype, expected, scaling):
    data = npz(values, dtype)
    assert scaled_pixels(data) == expected
    assert data.load().scaling == scaling


@pytest.mark.parametrize(
    ("values", "dtype", "what"),
    [
        ([0, 1, 2, -3], "int16", "The image of item 1 has values below 0, down to -3."),
        ([-0.5, 1, 2, 3], "float32", "The image of item 0 has values below 0, down to -0.5."),
        ([0, 1, 0, 1], "float64", "only the values 0 and 1"),
        ([0, 1, 2, 255.5], "float64", "The image of item 1 has values up to 255.5, for which there is no rule."),
        ([0, 1, 2, 65536], "int32", "The image of item 1 has values up to 65536, for which there is no rule."),
        ([0, 1, np.nan, 2], "float64", "The image of item 1 has values that are NaN or infinite."),
    ],
)
def test_auto_refuses_values_without_a_rule_and_gives_a_hint(npz, values, dtype, what):
    with pytest.raises(RequestError) as refused:
        npz(values, dtype).load()
    assert what in refused.value.what
    assert refused.value.hint
    assert refused.value.where.endswith("data.npz")


@pytest.mark.parametrize("wanted", [Range("auto"), Range("percentiles", 1, 99)])
def test_a_large_image_is_not_kept_in_memory(wanted):
    """Its chunks hold their pixels. Only those with the lowest and the highest value are kept, for messages."""
    alive = WeakSet()

    def chunks():
        for number in range(50):
            values = np.array([[100 + number % 7, 900 - number % 11]], np.uint16)
            chunk = ImageChunk(values.dtype, lambda values=values: values, str, "")
            alive.add(chunk)
            yield chunk
            assert len(alive) <= 4

    first = ImageChunk(np.dtype(np.uint16), lambda: np.zeros((1, 2), np.uint16), str, "")
    assert determine_scaling(wanted, {first.dtype: first}, chunks).high in (1023, 900)


def test_the_rules_look_at_all_images_despite_a_limit(npz):
    assert scaled_pixels(npz([0, 100, 0, 4095], "uint16", limit=1)) == [0, 6]


# --- requested ranges


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ({"range": "0..100"}, [0, 128, 255, 255]),
        ({"range": "50..100"}, [0, 0, 255, 255]),
        ({"range": "-100..300"}, [64, 96, 128, 255]),
        ({"range": "bits"}, [0, 0, 0, 1]),
        ({"range": "0..100@floats"}, [0, 12, 25, 75]),
        ({"range": "0%..100%"}, [0, 42, 85, 255]),
        ({"range": "0%..100%", "range_per": "image"}, [0, 255, 0, 255]),
    ],
)
def test_a_range_can_be_requested(npz, words, expected):
    assert scaled_pixels(npz([0, 50, 100, 300], "uint16", **words)) == expected


def test_percentiles_are_computed_over_the_whole_set(npz, tmp_path):
    values = np.arange(1000, dtype=np.uint16).reshape(10, 10, 10)
    np.savez(tmp_path / "many.npz", images=values, masks=np.ones(values.shape, np.uint8))
    data = Npz(str(tmp_path / "many.npz"), range="1%..99%").load()
    assert data.scaling == Scaling(9, 989, "integers")
    floats = values / 7.0
    np.savez(tmp_path / "floats.npz", images=floats, masks=np.ones(values.shape, np.uint8))
    data = Npz(str(tmp_path / "floats.npz"), range="1%..99%").load()
    low, high = np.percentile(floats, [1, 99])
    assert (data.scaling.low, data.scaling.high) == pytest.approx((low, high), abs=0.15)


@pytest.mark.parametrize(
    ("words", "what"),
    [
        ({"range": "wide"}, "range=wide is neither auto nor bits"),
        ({"range": "5..5"}, "the lower value comes first"),
        ({"range": "9..0"}, "the lower value comes first"),
        ({"range": "0..1e999"}, "the lower value comes first"),
        ({"range": "0..nan"}, "range=0..nan is neither"),
        ({"range": "1%..101%"}, "percentiles go from 0 to 100"),
        ({"range": "1..99%"}, "range=1..99% is neither"),
        ({"range": "0..5@colours"}, "is neither"),
        ({"range_per": "image"}, "range_per=image needs percentiles"),
    ],
)
def test_an_invalid_range_is_refused_before_reading(words, what):
    overrides = [f"data.npz.{key}={value}" for key, value in words.items()]
    with pytest.raises(RequestError, match=what.replace("(", r"\(")):
        api.plan(data="npz:path=none.npz", overrides=overrides)


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6))
@example(0.5, 0.5)
def test_a_range_can_be_restored_from_its_text(low, span):
    scaling = Scaling(low, low + span, "floats")
    requested = Range.of(scaling)
    assert (requested.low, requested.high, requested.numbers) == (scaling.low, scaling.high, "floats")
    assert Range.parse(str(requested)) == requested
    assert Scaling.from_json(json.loads(json.dumps(scaling.to_json()))) == scaling


def test_three_points_mean_a_range_that_ends_in_a_fraction():
    assert (Range.parse("0...5").low, Range.parse("0...5").high) == (0, 0.5)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.floats(-1e30, 1e30), min_size=1),
    st.floats(-1e30, 1e30),
    st.floats(-1e30, 1e30),
)
def test_scaling_keeps_the_order_maps_both_ends_and_counts_values_outside(values, one, other):
    low, high = sorted((one, other))
    if not (low / 2 < high / 2 and high / 2 - low / 2 > 1e-300):
        return
    given_values = np.sort(np.array(values))
    scaled, outside = scaled_values(given_values, low, high)
    assert (np.diff(scaled.astype(int)) >= 0).all()
    assert scaled_values(np.array([low, high]), low, high)[0].tolist() == [0, 255]
    assert outside == sum(not low <= value <= high for value in values)
    assert set(scaled[given_values <= low]) <= {0}
    assert set(scaled[given_values >= high]) <= {255}


def test_sixteen_bits_are_divided_by_257():
    values = np.arange(65536, dtype=np.uint16)
    np.testing.assert_array_equal(scaled_values(values, 0, 65535)[0], (values.astype(np.uint32) + 128) // 257)


# --- messages


def messages(caplog) -> str:
    return "\n".join(record.getMessage() for record in caplog.records)


def test_the_scaling_is_logged_whenever_the_set_is_read(npz, caplog):
    data = npz([0, 1024, 2048, 4095], "uint16")
    for _ in range(2):  # prepared, then opened
        caplog.clear()
        data.load()
        assert messages(caplog) == "npz:data.npz: whole numbers from 0 to 4095 are scaled to 0 to 255."


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_a_nearly_black_set_gives_a_warning(npz, caplog, dtype):
    npz([0, 3, 7, 12], dtype).load()
    assert "The values reach only 12 of 255" in messages(caplog)
    assert "range=0..12" in messages(caplog)


def test_twelve_bits_read_as_sixteen_give_a_warning(npz, caplog):
    npz([0, 3, 7, 4095], "uint16", range="bits").load()
    assert "The values reach only 4095 of 65535" in messages(caplog)


def test_clipped_values_are_counted(npz, caplog):
    npz([0, 50, 100, 300], "uint16", range="50..100").load()
    assert "2 values (50 %) lie outside the range and are clipped." in messages(caplog)


def test_unchanged_values_log_nothing(npz, caplog):
    npz([0, 3, 7, 200], "uint8").load()
    assert messages(caplog) == ""


# --- images without labels


def test_the_test_set_is_scaled_like_the_labelled_images(npz):
    data = npz([0, 1024, 2048, 4095], "uint16", test=np.array([[[100, 900]]], np.uint16))
    assert data.unlabelled().ravel().tolist() == [6, 56]  # alone, it would have 10 bits: 25, 224


def test_a_test_set_of_other_numbers_has_its_own_range(npz):
    data = npz([0, 1, 2, 200], "uint8", test=np.array([[[0.25, 1.0]]]))
    assert data.unlabelled().ravel().tolist() == [64, 255]


@pytest.mark.parametrize("words", [{}, {"range": "0%..100%"}])
def test_images_without_labels_are_scaled_like_the_labelled_ones_that_a_limit_leaves(folder, words):
    data = folder(np.array([[0, 1023]], np.uint16), np.array([[0, 4095]], np.uint16), suffix="png", limit=1, **words)
    further = Path(data.path) / "unlabelled"
    further.mkdir()
    Image.fromarray(np.array([[0, 1023]], np.uint16)).save(further / "2.png")
    assert scaled_pixels(data) == [0, 255]
    assert data.unlabelled().ravel().tolist() == [0, 255]


# --- files


def test_twelve_bits_in_files_of_sixteen(folder):
    data = folder(np.array([[0, 4095]], np.uint16), np.array([[1024, 2048]], np.uint16), suffix="png")
    assert scaled_pixels(data) == [0, 255, 64, 128]  # they were 0, 16, 4, 8
    assert data.load().scaling == Scaling(0, 4095, "integers")


def test_eight_bits_in_files_of_sixteen(folder):
    data = folder(np.array([[0, 255]], np.uint16), np.array([[7, 8]], np.uint16), suffix="png")
    assert scaled_pixels(data) == [0, 255, 7, 8]  # they were 0, 1, 0, 0


def test_files_of_floats(folder):
    data = folder(np.array([[0, 1]], np.float32), np.array([[0.25, 0.5]], np.float32))
    assert scaled_pixels(data) == [0, 255, 64, 128]


def tiff(path: Path, pixels: np.ndarray, *, order: str = "<", channels: int = 1) -> Path:
    """Write a TIFF of any type of numbers byte by byte: Pillow writes only some."""
    bits, kind = 8 * pixels.dtype.itemsize, {"u": 1, "i": 2, "f": 3}[pixels.dtype.kind]
    content = pixels.astype(pixels.dtype.newbyteorder(order)).tobytes()
    tags = {256: pixels.shape[1], 257: pixels.shape[0], 258: bits, 259: 1, 262: 1, 273: 0, 277: channels}
    tags |= {278: pixels.shape[0], 279: len(content), 339: kind}
    tags[273] = 8 + 2 + 12 * len(tags) + 4
    entries = b"".join(struct.pack(f"{order}HHII", tag, 4, 1, value) for tag, value in sorted(tags.items()))
    start = {"<": b"II*\0", ">": b"MM\0*"}[order] + struct.pack(f"{order}IH", 8, len(tags))
    path.write_bytes(start + entries + bytes(4) + content)
    return path


# The values of an image, the range, and what they become.
STATED = [
    ("int16", [-100, 0, 1000, 4000], "-100..4000", [0, 6, 68, 255]),
    ("int8", [-100, 0, 50, 100], "-100..100", [0, 128, 191, 255]),
    ("int32", [-100, 0, 1000, 4000], "-100..4000", [0, 6, 68, 255]),
    ("uint32", [0, 2**30, 2**31, 2**32 - 1], "0..4294967295", [0, 64, 128, 255]),
    ("float32", [0, 0.1, 0.2, 0.3], "0..0.3", [0, 85, 170, 255]),
    ("float64", [0, 0.1, 0.2, 0.3], "0..0.3", [0, 85, 170, 255]),
    ("float16", [0, 0.1, 0.2, 0.3], "0..0.3", [0, 85, 170, 255]),
]


@pytest.mark.parametrize(("dtype", "values", "stated", "expected"), STATED)
def test_a_stated_range_fits_any_type_of_numbers(tmp_path, dtype, values, stated, expected):
    """In an .npz file, in files of a folder, in files and arrays to predict."""
    pixels, mask = np.array([values], dtype), np.zeros((1, 4), np.uint8)
    np.savez(tmp_path / "a.npz", images=pixels[None], masks=mask[None])
    data = Npz(str(tmp_path / "a.npz"), range=stated).load()
    assert data.images.ravel().tolist() == expected
    (given,) = GivenImages(Range.parse(stated), None)([pixels])
    assert given.ravel().tolist() == expected
    if dtype in ("float64", "float16"):
        return
    (tmp_path / "f/images").mkdir(parents=True)
    (tmp_path / "f/masks").mkdir()
    Image.fromarray(mask).save(tmp_path / "f/masks/a.png")
    orders = "<" if dtype == "uint32" else "<>"  # Pillow reads no big-endian uint32
    for order in orders:
        file = tiff(tmp_path / "f/images/a.tif", pixels, order=order)
        assert Folder(str(tmp_path / "f"), range=stated).load().images.ravel().tolist() == expected
        predicted = ImageReader([file], Range.parse(stated), limit=100, lenient=True)
        assert predicted(file).ravel().tolist() == expected
    if dtype[0] == "i":
        with pytest.raises(RequestError, match="has values below 0") as caught:
            Folder(str(tmp_path / "f")).load()
        assert "range=LOW..HIGH" in caught.value.hint


@pytest.mark.parametrize(("dtype", "channels"), [("float64", 1), ("float16", 1), ("int16", 3), ("float32", 3)])
def test_a_tiff_that_pillow_cannot_read_is_not_called_damaged(tmp_path, dtype, channels):
    file = tiff(tmp_path / "a.tif", np.zeros((2, 2), dtype), channels=channels)
    with pytest.raises(RequestError, match="number of channels and type of values cannot be read") as caught:
        ImageReader([file], Range.parse("0..1"), limit=100)
    assert ".npz" in caught.value.hint


def test_files_of_eight_bits_are_unchanged_beside_others(folder):
    data = folder(np.array([[0, 4095]], np.uint16), np.array([[7, 8]], np.uint8), suffix="png")
    assert scaled_pixels(data) == [0, 255, 7, 8]
    with pytest.raises(RequestError, match="one range does not fit both") as refused:
        Folder(data.path, range="0..4095").load()
    assert "range=0..4095@integers leaves images of 8 bits unchanged" in refused.value.hint
    assert scaled_pixels(Folder(data.path, range="0..2047@integers")) == [0, 255, 7, 8]


def test_floats_beside_whole_numbers_are_refused(folder):
    with pytest.raises(RequestError, match="holds floats, others hold whole numbers"):
        folder(np.array([[0, 4095]], np.uint16), np.array([[0.5, 0]], np.float32)).load()


def test_a_file_with_nan_is_named(folder):
    data = folder(np.array([[0, 1]], np.float32), np.array([[0.25, np.nan]], np.float32))
    with pytest.raises(RequestError, match="NaN or infinite") as refused:
        data.load()
    assert refused.value.where.endswith("1.tif")


def sixteen_bit_colours(path, value: int) -> None:
    """Write a PNG of one pixel with three channels of 16 bits."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = struct.pack(">IIBBBBB", 1, 1, 16, 2, 0, 0, 0)
    row = zlib.compress(b"\0" + struct.pack(">HHH", value, value, value))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", row) + chunk(b"IEND", b""))


def test_colours_of_sixteen_bits_are_refused_unless_eight_bits_suffice(folder):
    data = folder(np.zeros((1, 1, 3), np.uint8), suffix="png")
    sixteen_bit_colours(Path(data.path) / "images/0.png", 4095)
    with pytest.raises(RequestError, match="only the upper 8 bits can be read") as refused:
        data.load()
    assert refused.value.where.endswith("0.png")
    assert scaled_pixels(Folder(data.path, range="bits")) == [15, 15, 15]


def test_sixteen_bits_with_white_at_zero_are_refused(folder, tmp_path):
    data = folder(np.array([[0, 4095]], np.uint16))
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[262] = 0
    Image.fromarray(np.array([[0, 4095]], np.uint16)).save(tmp_path / "folder" / "images" / "0.tif", tiffinfo=tags)
    with pytest.raises(RequestError, match="0 is white"):
        data.load()


# --- plans and runs

UNET = "unet:width=0.125:depth=1:convolutions=1"


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    """Return a folder with 24 scenes as 12-bit values in 16-bit files, their 8-bit images, and the 12-bit images."""
    root = tmp_path_factory.mktemp("ranges")
    data = Synthetic(count=24, height=16, width=32).load()
    for kind in ("images", "masks"):
        (root / "deep" / kind).mkdir(parents=True)
    deep = np.rint(data.images[..., 0] * (4095 / 255.0)).astype(np.uint16)
    deep[0, 0, 0] = 4095
    for number, (image, mask) in enumerate(zip(deep, data.masks, strict=True)):
        Image.fromarray(image).save(root / f"deep/images/{number:02}.png")
        Image.fromarray(mask).save(root / f"deep/masks/{number:02}.png")
    return root, data.images, deep


@pytest.fixture(scope="module")
def run(scenes):
    root, _, _ = scenes
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MARSSEG_CACHE", str(root / "cache"))
        data = f"folder:path={root / 'deep'}:classes=mars"
        return marsseg.run(arch=UNET, data=data, epochs=1, batch=4, out=root / "run").path


def labels(run, images, **words):
    return list(marsseg.predict(run, images, **words))


def assert_same_labels(found, expected):
    assert [each.tolist() for each in found] == [each.tolist() for each in expected]


def test_a_run_stores_the_scaling_of_its_data(run):
    kept = json.loads((run / "split.json").read_text())
    assert kept["scaling"] == {"low": 0, "high": 4095, "numbers": "integers", "per": "set"}
    assert "values: whole numbers from 0 to 4095 are scaled to 0 to 255" in (run / "log.txt").read_text()
    assert 'range = "auto"' in (run / "plan.toml").read_text()


def test_12_bit_and_8_bit_versions_of_an_image_are_predicted_equally(run, scenes):
    _, images, deep = scenes
    dim = deep[1:2] // 5  # alone, it would have 10 bits
    assert dim.max() < 1024
    assert_same_labels(labels(run, deep[1:3, ..., None]), labels(run, images[1:3]))
    assert_same_labels(labels(run, dim[..., None]), labels(run, scaled_values(dim[..., None], 0, 4095)[0]))


def test_files_are_predicted_with_the_scaling_of_the_run(cli, run, scenes, tmp_path):
    _, images, deep = scenes
    (tmp_path / "in").mkdir()
    Image.fromarray(deep[1] // 5).save(tmp_path / "in" / "dim.png")
    Image.fromarray(deep[2]).save(tmp_path / "in" / "full.png")
    Image.fromarray(images[2, ..., 0]).save(tmp_path / "in" / "small.png")
    done = cli("predict", str(run), "in", "--out", "out")
    assert done.code == 0, done.err
    messages_shown = " ".join(done.err.split())
    assert messages_shown.count("dim.png and 1 other: whole numbers from 0 to 4095 are scaled to 0 to 255.") == 1
    made = {path.stem: np.asarray(Image.open(path)) for path in (tmp_path / "out").rglob("*.png")}
    dim = scaled_values(deep[1] // 5, 0, 4095)[0]
    assert_same_labels([made["dim"], made["full"], made["small"]], labels(run, [dim, images[2], images[2]]))


def test_files_of_floats_are_predicted_except_one_with_nan(cli, run, scenes, tmp_path):
    _, images, _ = scenes
    (tmp_path / "in").mkdir()
    floats = images[1, ..., 0].astype(np.float32) / 255
    floats[5, 5] = 1
    Image.fromarray(floats).save(tmp_path / "in" / "good.tif")
    floats[0, 0] = np.nan
    Image.fromarray(floats).save(tmp_path / "in" / "holes.tif")
    done = cli("predict", str(run), "in", "--out", "out")
    messages_shown = " ".join(done.err.split())
    assert done.code == 1
    assert "floats from 0 to 1 are scaled to 0 to 255." in messages_shown
    assert "holes is left out: This image has values that are NaN or infinite." in messages_shown
    expected = images[1].copy()
    expected[5, 5] = 255
    assert_same_labels([np.asarray(Image.open(tmp_path / "out/masks/good.png"))], labels(run, [expected]))


@pytest.mark.filterwarnings("ignore:The values reach only")
@pytest.mark.parametrize(("words", "high"), [((), 4095), (("--range", "0..1023"), 1023), (("--range", "bits"), 65535)])
def test_the_range_of_files_can_be_requested(cli, run, scenes, tmp_path, words, high):
    dim = scenes[2][1] // 5
    Image.fromarray(dim).save(tmp_path / "dim.png")
    assert cli("predict", str(run), "dim.png", "--out", "out", *words).code == 0
    expected = scaled_values(dim, 0, high)[0]
    assert_same_labels([np.asarray(Image.open(tmp_path / "out/masks/dim.png"))], labels(run, [expected]))


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (("dim.png", "--range", "wide"), "range=wide is neither auto nor bits"),
        (("synthetic", "--range", "0..9"), "--range is for image files"),
    ],
)
def test_a_wrong_range_of_files_is_refused(cli, run, words, what):
    done = cli("predict", str(run), *words, "--out", "out")
    assert done.code == 2
    assert what in " ".join(done.err.split())


def test_inspect_and_convert_print_the_scaling(cli, scenes, tmp_path):
    deep, message = str(scenes[0] / "deep"), "whole numbers from 0 to 4095 are scaled to 0 to 255"
    assert f"source: {message}" in cli("data", "inspect", deep).out
    assert json.loads(cli("data", "inspect", deep, "--json").out)["scaling"] == message
    assert "source: its values are 0 to 255" in cli("data", "inspect", "synthetic:count=8").out
    assert f"made.npz: {message}, and are written as such" in cli("data", "convert", deep, "made.npz").out
    converted, original = Npz(str(tmp_path / "made.npz")).load(), Folder(deep).load()
    np.testing.assert_array_equal(converted.images, original.images)
    assert converted.scaling == original.scaling is not None


def test_a_data_set_is_scored_with_the_scaling_of_the_run(run, scenes, tmp_path, monkeypatch):
    root, _, deep = scenes
    masks = np.stack([np.asarray(Image.open(path)) for path in sorted((root / "deep/masks").iterdir())])
    dim = deep // 5
    np.savez(tmp_path / "dim.npz", images=dim, masks=masks)  # 10 bits, if it were alone
    np.savez(tmp_path / "bytes.npz", images=scaled_values(dim, 0, 4095)[0], masks=masks)
    scores = [marsseg.evaluate(run, str(tmp_path / f"{name}.npz")).to_json() for name in ("dim", "bytes")]
    assert scores[0] == scores[1]


def test_runs_with_different_scalings_are_not_joined(run, scenes, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(run, other)
    kept = json.loads((other / "split.json").read_text())
    kept["scaling"]["high"] = 1023
    (other / "split.json").write_text(json.dumps(kept))
    with pytest.raises(RequestError, match=r"These runs cannot be combined.*0 to 4095.*0 to 1023"):
        labels([run, other], scenes[1][:1])


def test_data_with_another_scaling_is_not_the_data_of_the_run(run, scenes, tmp_path):
    """The pixels of the converted data set are equal, but other images would be scaled differently."""
    data = Folder(str(scenes[0] / "deep"), classes="mars").load()
    assert recorded_split(RunFolder.open(run), data).test
    with pytest.raises(RequestError, match="its scaling differs: values from 0 to 255 are not scaled"):
        recorded_split(RunFolder.open(run), replace(data, scaling=None))


def test_runs_without_a_stored_scaling_use_the_whole_range_of_sixteen_bits(run, scenes, tmp_path):
    """Plans of early versions have no range, and split.json no scaling; data and fingerprint are unchanged."""
    old = tmp_path / "old"
    shutil.copytree(run, old)
    plan = [line for line in (old / "plan.toml").read_text().splitlines() if not line.startswith("range")]
    (old / "plan.toml").write_text("\n".join(plan))
    kept = json.loads((old / "split.json").read_text())
    del kept["scaling"]
    (old / "split.json").write_text(json.dumps(kept))
    resolved = api.plan(str(old))
    assert resolved.resolved[kinds.DATASET][0].component.range == "bits"
    np.testing.assert_array_equal(read_data(resolved).images[..., 0], (scenes[2].astype(np.uint32) + 128) // 257)
    assert recorded_scaling(RunFolder.open(old)) == SIXTEEN_BITS
    assert api.plan(data=str(scenes[0] / "deep")).resolved[kinds.DATASET][0].component.range == "auto"


def test_an_old_plan_reads_an_npz_file_unchanged(npz, tmp_path):
    data = npz([0, 0.4, 0.6, 1], "float64")
    table = f'[data]\nname = "npz"\ndistribution = "marsseg"\nversion = "0.1.0"\npath = "{data.path}"\n'
    (tmp_path / "plan.toml").write_text(table)
    component = api.plan(str(tmp_path / "plan.toml")).resolved[kinds.DATASET][0].component
    assert component.range == "0..255"
    assert scaled_pixels(component) == [0, 0, 1, 1]


# --- arguments in Python


@pytest.mark.parametrize(
    ("images", "what", "hint"),
    [
        (np.zeros((16, 32), np.uint8), "Images must be an iterable of arrays or one array", r"\[image\]"),
        (np.zeros((16, 32, 3), np.uint8), "Images must be an iterable of arrays or one array", r"\[image\]"),
        ("photo.png", "Images must be an iterable of arrays, not", "marsseg predict"),
        (3, "Images must be an iterable of arrays, not", "marsseg predict"),
        ([np.zeros((16, 32))], "Image 0 has the type float64, and it is not known which", "range='0..1'"),
        ([np.zeros((16, 32), np.uint8), np.ones((4, 4), np.float32)], "Image 1 has the type float32", "range='0..1'"),
        ([np.full((16, 32), np.nan)], "Image 0 has values that are NaN", "Replace"),
        ([np.zeros(32, np.uint8)], r"Image 0 has the shape \(32,\)", "arrays"),
        ([np.zeros((3, 16, 32), np.uint8)], "32 channels instead of 1 or 3", "channels last"),
        ([np.zeros((0, 32), np.uint8)], r"Image 0 has the shape \(0, 32\)", "arrays"),
        ([np.array([["a"]])], "Image 0 has the type <U1, which is not numeric", "arrays"),
        ([[[0, 1], [2]]], "Image 0 is not an array", None),
        ([None], "Image 0 has the type object", "arrays"),
    ],
)
def test_invalid_images_are_refused_with_a_hint(run, images, what, hint):
    with pytest.raises(RequestError, match=what) as refused:
        labels(run, images)
    assert hint is None or re.search(hint, refused.value.hint)


def test_floats_are_predicted_with_a_range(run, scenes):
    _, images, _ = scenes
    expected = labels(run, images[:2])
    assert_same_labels(labels(run, images[:2] / 255.0, range="0..1"), expected)
    assert_same_labels(labels(run, images[:2].astype(float), range="0..255"), expected)
    assert_same_labels(labels(run, images[:2].astype(np.uint16) * 257, range="bits"), expected)
    assert_same_labels(labels(run, [image[..., 0] for image in images[:2]]), expected)


def test_values_outside_the_range_are_counted_at_the_end(run):
    with warned_of(r"512 values \(100 %\) lie outside"):
        labels(run, [np.full((16, 32), 9.0)], range="0..1")


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float64"])
def test_percentiles_of_each_image_stretch_each_image(dtype):
    given_images = GivenImages(None, Scaling(0, 100, per="image"))
    dark, bright = given_images([np.array([[10, 20]], dtype), np.array([[100, 200]], dtype)])
    assert (dark.ravel().tolist(), bright.ravel().tolist()) == ([0, 255], [0, 255])
    assert next(given_images([np.full((1, 2), 7, dtype)])).tolist() == [[[0], [0]]]


@pytest.mark.parametrize("requested", ["auto", "1%..99%", "wide", 4095, "9..0"])
def test_a_range_that_python_cannot_use_is_refused(run, scenes, requested):
    with pytest.raises(RequestError) as refused:
        labels(run, scenes[1][:1], range=requested)
    assert refused.value.where == "range"


@pytest.mark.parametrize(
    "wrong",
    [
        lambda run: marsseg.predict(None, []),
        lambda run: marsseg.predict([], []),
        lambda run: marsseg.predict([3], []),
        lambda run: marsseg.predict("nowhere", []),
        lambda run: marsseg.load(None),
        lambda run: marsseg.load(3),
        lambda run: marsseg.evaluate(None),
        lambda run: marsseg.evaluate(run, subset="tset"),
        lambda run: marsseg.evaluate(run, 5),
        lambda run: marsseg.resume(b"run"),
        lambda run: marsseg.compare(),
        lambda run: marsseg.compare(3),
        lambda run: marsseg.compare(run, subset="tset"),
        lambda run: marsseg.compare(run, by="mIuO"),
        lambda run: marsseg.dataset(None),
        lambda run: marsseg.dataset("synthetic", count=-1),
        lambda run: marsseg.dataset("synthetic", cuont=1),
        lambda run: marsseg.run(arch=None),
        lambda run: marsseg.run(arch=["unet", "dense"]),
        lambda run: marsseg.run(data=np.zeros((1, 2, 2))),
        lambda run: marsseg.run(3),
        lambda run: marsseg.run(overrides="training.epochs=3"),
        lambda run: marsseg.run(epochs=-3, data="synthetic"),
        lambda run: marsseg.run(epochs="many", data="synthetic"),
        lambda run: marsseg.run(learning_rate=float("nan"), data="synthetic"),
        lambda run: marsseg.run(epcohs=3),
        lambda run: marsseg.series(seeds=2.5, data="synthetic"),
        lambda run: marsseg.series(seeds="2", data="synthetic"),
        lambda run: marsseg.series(folds=-2, data="synthetic"),
    ],
)
def test_a_wrong_argument_raises_a_request_error(run, wrong):
    with pytest.raises(RequestError) as refused:
        wrong(run)
    assert refused.value.what
