"""Read .npz files in the course's layout, and refuse wrong ones."""

from __future__ import annotations

import io
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from marsseg_core.data import chunks
from marsseg_core.errors import RequestError
from marsseg_plugins.datasets import archive
from marsseg_plugins.datasets.npz import Npz

RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.integers(0, 256, (5, 6, 8)).astype(np.uint8)
MASKS = RANDOM.integers(0, 5, (5, 6, 8)).astype(np.uint8)
MASKS[0, 0, 0] = 255
TEST_SET = RANDOM.integers(0, 256, (3, 6, 8)).astype(np.uint8)


def course(dtype=np.float64) -> np.ndarray:
    return np.stack([IMAGES, MASKS], axis=1).astype(dtype)


@pytest.fixture
def save(tmp_path):
    """Return a function: `save(images=…)` writes these arrays and returns the path."""

    def write(compressed: bool = False, **arrays) -> Path:
        path = tmp_path / "data.npz"
        (np.savez_compressed if compressed else np.savez)(path, **arrays)
        return path

    return write


def refusal(path: Path, **parameters) -> RequestError:
    with pytest.raises(RequestError) as caught:
        Npz(str(path), **parameters).load()
    return caught.value


# --- files that are read


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "uint8", "int64", "uint16", ">f8", ">f4", ">i4"])
@pytest.mark.parametrize("compressed", [False, True])
def test_the_courses_layout_in_any_kind_of_number(save, dtype, compressed):
    data = Npz(str(save(compressed, training_set=course(dtype), test_set=TEST_SET))).load()
    np.testing.assert_array_equal(data.images[..., 0], IMAGES)
    np.testing.assert_array_equal(data.masks, MASKS)
    assert (data.images.dtype, data.masks.dtype) == (np.uint8, np.uint8)
    assert data.class_names == ("background", "soil", "bedrock", "sand", "big_rock")
    assert (data.ignore_classes, data.groups, data.source) == ((0,), None, "npz:data.npz")


@pytest.mark.parametrize("channels", [None, 1, 3])
def test_separate_images_and_masks(save, channels):
    images = IMAGES if channels is None else np.stack([IMAGES] * channels, axis=-1)
    data = Npz(str(save(images=images.astype(float), masks=MASKS.astype(np.int16)))).load()
    assert data.images.shape == (5, 6, 8, channels or 1)
    np.testing.assert_array_equal(data.images[..., -1], IMAGES)
    np.testing.assert_array_equal(data.masks, MASKS)


@pytest.mark.parametrize("dtype", [np.int64, np.uint8, ">i4"])
def test_groups(save, dtype):
    groups = np.array([7, 7, 8, 9, 9])
    data = Npz(str(save(training_set=course(), training_groups=groups.astype(dtype)))).load()
    np.testing.assert_array_equal(data.groups, groups)


def test_a_grey_value_between_two_whole_ones_is_rounded(save):
    together = course()
    together[0, 0, 0, :3] = 99.4, 99.6, 254.9999
    assert Npz(str(save(training_set=together))).load().images[0, 0, :3, 0].tolist() == [99, 100, 255]


def test_the_user_chooses_classes_and_ignored_classes(save):
    path = save(images=IMAGES, masks=np.minimum(MASKS, 1))
    data = Npz(str(path), classes=("ground", "rock"), ignore_classes=None).load()
    assert (data.num_classes, data.ignore_classes) == (2, ())


@pytest.mark.parametrize(("limit", "items"), [(1, [0]), (2, [0, 2]), (5, [0, 1, 2, 3, 4]), (99, [0, 1, 2, 3, 4])])
def test_a_limit_takes_items_evenly_spread_over_the_file(save, limit, items):
    data = Npz(str(save(training_set=course(), training_groups=np.arange(5))), limit=limit).load()
    np.testing.assert_array_equal(data.masks, MASKS[items])
    np.testing.assert_array_equal(data.groups, items)


def test_the_test_set_is_read_on_its_own(save):
    images = Npz(str(save(training_set=course(), test_set=TEST_SET.astype(float)))).unlabelled()
    np.testing.assert_array_equal(images, TEST_SET[..., None])
    assert images.dtype == np.uint8
    assert Npz(str(save(training_set=course()))).unlabelled() is None


@pytest.mark.parametrize("chunk", [1, 400, 1000, 10**9])
def test_reading_in_pieces_gives_what_reading_at_once_gives(save, monkeypatch, chunk):
    path = save(training_set=course(), training_groups=np.arange(5), test_set=TEST_SET.astype(float))
    monkeypatch.setattr(chunks, "CHUNK_BYTES", chunk)
    data = Npz(str(path)).load()
    np.testing.assert_array_equal(data.images[..., 0], IMAGES)
    np.testing.assert_array_equal(data.masks, MASKS)
    np.testing.assert_array_equal(data.groups, np.arange(5))
    np.testing.assert_array_equal(Npz(str(path)).unlabelled()[..., 0], TEST_SET)


def test_a_fault_in_a_later_piece_names_its_item(save, monkeypatch):
    monkeypatch.setattr(chunks, "CHUNK_BYTES", 1)
    together = course()
    together[3, 1, 0, 0] = 1.5
    assert refusal(save(training_set=together)).what == "The mask of item 3 has values that are not whole numbers."


def test_the_real_tiles(real_tiles):
    data = Npz(str(real_tiles)).load()
    assert (data.images.shape, data.masks.shape) == ((4000, 64, 128, 1), (4000, 64, 128))
    shares = 100 * np.bincount(data.masks.ravel(), minlength=5) / data.masks.size
    np.testing.assert_allclose(shares, [28.1, 26.0, 37.1, 8.2, 0.56], atol=0.06)
    assert (data.masks == 4).any(axis=(1, 2)).sum() == 176
    assert data.groups.shape == (4000,)


# --- files that are refused


def changed(item, value) -> np.ndarray:
    together = course()
    together[item] = value
    return together


PICKLED = np.array([{"never": "loaded"}, None], dtype=object)

WRONG = {
    "empty file": ({}, "There is no training_set in this file; it holds nothing."),
    "other keys": ({"b": TEST_SET, "a": TEST_SET}, "There is no training_set in this file; it holds a, b."),
    "no masks": ({"images": IMAGES}, "There is no masks in this file; it holds images."),
    "shape": (
        {"training_set": IMAGES},
        "training_set must have the shape (N, 2, H, W), an image and a mask for each item, not (5, 6, 8).",
    ),
    "three": (
        {"training_set": np.zeros((5, 3, 6, 8))},
        "training_set must have the shape (N, 2, H, W), an image and a mask for each item, not (5, 3, 6, 8).",
    ),
    "no items": ({"training_set": course()[:0]}, "training_set is empty: its shape is (0, 2, 6, 8)."),
    "no pixels": ({"images": IMAGES[:, :0], "masks": MASKS}, "images is empty: its shape is (5, 0, 8)."),
    "flat images": (
        {"images": IMAGES[0], "masks": MASKS},
        "images must have 3 or 4 dimensions, N first, not (6, 8).",
    ),
    "flat masks": ({"images": IMAGES, "masks": MASKS[0]}, "masks must have 3 dimensions, N first, not (6, 8)."),
    "scalar": ({"images": np.array(3), "masks": MASKS}, "images must have 3 or 4 dimensions, N first, not ()."),
    "counts": ({"images": IMAGES, "masks": MASKS[:4]}, "There are 5 images and 4 masks."),
    "sizes": (
        {"images": IMAGES, "masks": MASKS[:, :5]},
        "Masks of shape (5, 5, 8) do not match images of shape (5, 6, 8, 1).",
    ),
    "text": ({"training_set": np.full((5, 2, 6, 8), "a")}, "training_set must hold numbers, not <U1."),
    "complex": ({"training_set": course() + 1j}, "training_set must hold numbers, not complex128."),
    "record": (
        {"training_set": np.zeros((5, 2, 6, 8), [("a", "f8")])},
        "training_set must hold numbers, not [('a', '<f8')].",
    ),
    "pickled": (
        {"training_set": PICKLED},
        "training_set holds pickled objects. They could run code when read, so marsseg never loads them.",
    ),
    "pickled groups": (
        {"training_set": course(), "training_groups": PICKLED},
        "training_groups holds pickled objects. They could run code when read, so marsseg never loads them.",
    ),
    "groups count": (
        {"training_set": course(), "training_groups": np.arange(4)},
        "training_groups must hold 5 integers, but its shape is (4,) and its type int64.",
    ),
    "groups dtype": (
        {"training_set": course(), "training_groups": np.zeros(5)},
        "training_groups must hold 5 integers, but its shape is (5,) and its type float64.",
    ),
    "bright image": (
        {"training_set": changed((2, 0), 256)},
        "The image of item 2 has values up to 256, for which there is no rule.",
    ),
    "dark image": ({"training_set": changed((2, 0), -1)}, "The image of item 2 has values below 0, down to -1."),
    "NaN image": (
        {"training_set": changed((2, 0), np.nan)},
        "The image of item 2 has values that are NaN or infinite.",
    ),
    "infinite image": (
        {"training_set": changed((2, 0), np.inf)},
        "The image of item 2 has values that are NaN or infinite.",
    ),
    "NaN mask": ({"training_set": changed((4, 1), np.nan)}, "The mask of item 4 has values outside 0 to 255."),
    "half mask": (
        {"training_set": changed((1, 1), 2.5)},
        "The mask of item 1 has values that are not whole numbers.",
    ),
    "negative mask": ({"training_set": changed((1, 1), -1)}, "The mask of item 1 has values outside 0 to 255."),
    "mask value": (
        {"training_set": changed((1, 1), 7)},
        "Mask 1 holds the value 7; "
        "the classes are 0 to 4 (background, soil, bedrock, sand, big_rock), and 255 for void.",
    ),
    "big integer mask": (
        {"images": IMAGES, "masks": MASKS.astype(np.int64) + 256},
        "The mask of item 0 has values outside 0 to 255.",  # and does not wrap around to a class
    ),
    "Fortran order": (
        {"training_set": np.asfortranarray(course())},
        "training_set is stored in Fortran order; save it in C order (np.ascontiguousarray).",
    ),
}


@pytest.mark.parametrize(("arrays", "what"), WRONG.values(), ids=WRONG)
def test_a_wrong_file_is_refused_with_the_reason(save, arrays, what):
    path = save(**arrays)
    error = refusal(path)
    assert error.what == what
    assert error.where in (str(path), "npz:data.npz")


@pytest.mark.parametrize(
    ("ignore_classes", "what"),
    [((9,), "There is no class 9 to ignore; the classes are 0 to 4."), ((0, 5), "There is no class 5")],
)
def test_a_class_that_is_not_there_cannot_be_ignored(save, ignore_classes, what):
    assert refusal(save(training_set=course()), ignore_classes=ignore_classes).what.startswith(what)


def test_a_file_that_is_not_there(tmp_path):
    assert refusal(tmp_path / "gone.npz").what == "There is no such file."
    assert refusal(tmp_path).what.startswith("This is not an .npz file")  # a folder


def npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array(file, array, allow_pickle=False)
    return file.getvalue()


def header(text: str, version=(1, 0)) -> bytes:
    """The beginning of an .npy file with this header."""
    length = struct.pack("<H" if version == (1, 0) else "<I", len(text) + 1)
    return b"\x93NUMPY" + bytes(version) + length + text.encode("latin-1") + b"\n"


def zipped(path: Path, content: bytes, name: str = "training_set.npy") -> Path:
    with zipfile.ZipFile(path, "w") as file:
        file.writestr(name, content)
    return path


DECLARED = "{{'descr': '<f8', 'fortran_order': False, 'shape': {}, }}"

LYING = {
    "more items than stored": header(DECLARED.format("(10, 2, 6, 8)")) + bytes(960),
    "petabytes": header(DECLARED.format("(1000000000, 2, 6400, 12800)")) + bytes(960),
    "negative": header(DECLARED.format("(-5, 2, 6, 8)")) + bytes(960),
    "two negatives": header(DECLARED.format("(5, 2, -6, -8)")) + bytes(3840),
    "fewer items than stored": npy(course())[:-8] + bytes(800),
    "no dtype": header("{'descr': 'nonsense', 'fortran_order': False, 'shape': (5, 2, 6, 8), }") + bytes(3840),
    "empty dtype": header("{'descr': (), 'fortran_order': False, 'shape': (5, 2, 6, 8), }") + bytes(3840),
    "text in the shape": header(DECLARED.format("('5', 2, 6, 8)")) + bytes(3840),
    "not closed": header("{'descr': (") + bytes(3840),
    "not a dictionary": header("[1, 2]") + bytes(3840),
    "strange keys": header("{1: 2, 'a': 3, None: 4}") + bytes(3840),
    "unhashable keys": header("{[]: 2}") + bytes(3840),
    "nested": header("(" * 900) + bytes(3840),
    "long header": header(" " * 60000) + bytes(3840),
    "unknown version": header(DECLARED.format("(5, 2, 6, 8)"), version=(9, 9))[:40],
    "no magic": b"hello" * 100,
    "nothing": b"",
}


@pytest.mark.parametrize("content", LYING.values(), ids=LYING)
def test_an_array_that_differs_from_its_header_is_refused(tmp_path, content):
    error = refusal(zipped(tmp_path / "data.npz", content))
    assert error.what.startswith("training_set")


def test_no_memory_is_allocated_for_missing_data(tmp_path):
    # The directory of the zip file is wrong as well: its size is checked against the bytes that are read.
    path = zipped(tmp_path / "data.npz", header(DECLARED.format("(500000000, 2, 6400, 12800)")) + bytes(960))
    content = path.read_bytes()
    size = struct.pack("<I", len(header(DECLARED.format("(500000000, 2, 6400, 12800)"))) + 960)
    assert content.count(size) >= 2
    path.write_bytes(content.replace(size, struct.pack("<I", 2**32 - 2)))
    assert refusal(path).what.startswith("training_set")


@pytest.fixture(scope="module")
def valid() -> dict[str, bytes]:
    """Valid files, stored and compressed, as bytes."""
    files = {}
    for save in (np.savez, np.savez_compressed):
        file = io.BytesIO()
        save(file, training_set=course(), training_groups=np.arange(5))
        files[save.__name__] = file.getvalue()
    return files


anywhere = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
either = pytest.mark.parametrize("how", ["savez", "savez_compressed"])


@either
@anywhere
@given(share=st.floats(0, 1, exclude_max=True))
def test_a_file_cut_off_anywhere_is_refused(valid, tmp_path, how, share):
    content = valid[how]
    path = tmp_path / "cut.npz"
    path.write_bytes(content[: int(share * len(content))])
    refusal(path)


@anywhere
@given(content=st.binary(max_size=300))
def test_garbage_is_refused(tmp_path, content):
    path = tmp_path / "garbage.npz"
    path.write_bytes(content)
    refusal(path)


@anywhere
@given(content=st.binary(max_size=300), magic=st.booleans())
def test_garbage_in_a_valid_zip_file_is_refused(tmp_path, content, magic):
    refusal(zipped(tmp_path / "garbage.npz", (b"\x93NUMPY\x01\x00" if magic else b"") + content))


@either
@anywhere
@given(data=st.data())
def test_a_file_with_changed_bytes_is_refused_or_read(valid, tmp_path, how, data):
    content = bytearray(valid[how])
    # Where the structures are: near both ends, and in the header of each array.
    places = [*range(300), *range(len(content) - 500, len(content))]
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.sampled_from(places))] = data.draw(st.integers(0, 255))
    path = tmp_path / "changed.npz"
    path.write_bytes(content)
    try:
        read = Npz(str(path)).load()
    except RequestError:
        return
    assert (read.images.dtype, read.masks.dtype) == (np.uint8, np.uint8)


def test_nothing_is_ever_unpickled(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "exploded",))

    for name in ("training_set", "images", "masks", "training_groups", "test_set"):
        arrays = {"training_set": course(), "test_set": TEST_SET, "training_groups": np.arange(5)}
        if name in ("images", "masks"):
            arrays = {"images": IMAGES, "masks": MASKS}
        path = tmp_path / "bomb.npz"
        np.savez(path, **arrays | {name: np.array([Bomb()], dtype=object)})
        with pytest.raises(RequestError, match=f"{name} holds pickled objects"):
            Npz(str(path)).unlabelled() if name == "test_set" else Npz(str(path)).load()
    assert not (tmp_path / "exploded").exists()


# --- zip bombs and other attacks


@pytest.mark.parametrize("names", [("training_set",), ("images", "masks"), ("test_set",)])
def test_a_zip_bomb_is_refused_before_it_is_unpacked(tmp_path, monkeypatch, own_cache, names):
    monkeypatch.setattr(archive, "BOMB_BYTES", 2**20)
    path = tmp_path / "bomb.npz"
    shape = (4, 2, 512, 512) if names == ("training_set",) else (4, 512, 1024)
    np.savez_compressed(path, **{name: np.zeros(shape, np.uint8) for name in names})
    before = set(own_cache.rglob("*"))
    with pytest.raises(RequestError, match="zip bomb") as caught:
        Npz(str(path)).unlabelled() if names == ("test_set",) else Npz(str(path)).load()
    assert caught.value.what.startswith(names[0])
    assert caught.value.where == str(path)
    assert set(own_cache.rglob("*")) == before


def test_blank_images_are_no_zip_bomb_as_long_as_they_are_few(save):
    assert len(Npz(str(save(True, training_set=np.zeros((20, 2, 64, 128))))).load()) == 20


def test_names_that_lead_out_of_the_file_write_nothing(tmp_path):
    inside = tmp_path / "a" / "b"
    inside.mkdir(parents=True)
    path = inside / "data.npz"
    np.savez(path, training_set=course())
    with zipfile.ZipFile(path, "a") as file:
        for name in ("../../escaped.npy", "/tmp/marsseg-escaped.npy", "..\\escaped.npy", "training_set/../x.npy"):
            file.writestr(name, npy(IMAGES))
    before = set(tmp_path.rglob("*"))
    assert len(Npz(str(path)).load()) == 5
    assert set(tmp_path.rglob("*")) == before
    assert not Path("/tmp/marsseg-escaped.npy").exists()


def test_a_file_that_may_not_be_read(save, monkeypatch):
    path = save(training_set=course())

    def forbidden(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(zipfile, "ZipFile", forbidden)
    error = refusal(path)
    assert (error.what, error.where) == ("This file cannot be opened: Permission denied.", str(path))


# --- images without labels


def test_images_without_labels_may_have_colours(save):
    images = Npz(str(save(training_set=course(), test_set=np.stack([TEST_SET] * 3, axis=-1)))).unlabelled()
    assert images.shape == (3, 6, 8, 3)
    assert isinstance(images, np.memmap)


@pytest.mark.parametrize(
    ("test_set", "what"),
    [
        (TEST_SET[0], "test_set must have 3 or 4 dimensions, N first, not (6, 8)."),
        (TEST_SET[:0], "test_set is empty: its shape is (0, 6, 8)."),
        (TEST_SET + 300.0, "The image of item 0 has values outside 0 to 255."),
        (PICKLED, "test_set holds pickled objects. They could run code when read, so marsseg never loads them."),
    ],
)
def test_a_wrong_test_set_is_refused_with_the_reason(save, test_set, what):
    path = save(training_set=course(), test_set=test_set)
    with pytest.raises(RequestError) as caught:
        Npz(str(path)).unlabelled()
    assert (caught.value.what, caught.value.where) == (what, str(path))
    assert len(Npz(str(path)).load()) == 5  # its labelled part is valid


def test_groups_can_be_left_out(tmp_path):
    path = tmp_path / "places.npz"
    images = np.zeros((6, 4, 4), np.uint8)
    np.savez(path, images=images, masks=images + 1, training_groups=np.repeat([3, 5], 3))
    assert Npz(str(path)).load().groups.tolist() == [3, 3, 3, 5, 5, 5]
    assert Npz(str(path), groups="none").load().groups is None


# --- what a file says about its items and classes


TEXTS = np.array(["a", "b", "c", "d", "e"])
SCALING = '{"low": 0, "high": 4095, "numbers": "integers", "per": "set"}'


def test_names_may_be_bytes_and_follow_the_limit(save):
    names = np.array([name.encode() for name in ("é", "b", "c", "d", "e")])
    data = Npz(str(save(training_set=course(), names=names, split=["val", "", "test", "", "train"])), limit=2).load()
    assert list(data.names) == ["é", "c"]
    assert (data.split.validation, data.split.test, data.split.train) == ((0,), (1,), ())


def test_class_names_of_the_file_come_before_mars_and_after_the_users(save):
    path = str(save(training_set=course(), class_names=TEXTS, class_ignored=np.arange(5) == 2))
    for classes in ("file", "found"):
        data = Npz(path, classes=classes).load()
        assert (data.class_names, data.ignore_classes) == (("a", "b", "c", "d", "e"), (2,))
    assert Npz(path, classes="mars", ignore_classes=None).load().ignore_classes == ()
    assert refusal(path, classes=("x", "y")).what == "`classes` names 2 classes, but the file has 5."


@pytest.mark.parametrize(
    ("arrays", "what"),
    [
        ({"names": TEXTS[:4]}, "names must hold 5 strings, but its shape is (4,)."),
        ({"names": np.arange(5)}, "names must hold strings, not int64."),
        ({"names": TEXTS.astype(object)}, "names holds pickled objects."),
        ({"names": np.array(["a", "a", "c", "d", "e"])}, "Two items have the name a."),
        ({"names": np.array(["a", "", "c", "d", "e"])}, "Item 1 of names is empty."),
        ({"names": np.array(["a", "\ud800", "c", "d", "e"])}, "Item 1 of names is not text: "),
        ({"names": np.full(5, 2**31 - 1, np.uint32).view("U1")}, "names is damaged: "),
        (
            {"names": np.array([*"abcd", "x" * 5000])},
            "names has strings of up to 20,000 bytes; at most 4,096 characters",
        ),
        ({"split": np.array([*["train"] * 4, "trian"])}, "Item 4 of split is 'trian', which is not a subset."),
        ({"class_names": np.array(list(map(str, range(256))))}, "class_names must hold at most 255 strings"),
        ({"class_names": TEXTS[:2]}, "Mask 0 holds the value"),
        ({"class_names": TEXTS, "class_colours": np.zeros((4, 3), np.uint8)}, "class_colours must be an array (5, 3)"),
        ({"class_colours": np.full((5, 3), 256)}, "class_colours has 256 to 256; colours are 0 to 255."),
        ({"class_ignored": np.zeros(5)}, "class_ignored must be an array (N) of booleans, not (5,) float64."),
        ({"scaling": np.array([SCALING])}, "The file says how its images were scaled to uint8, but they are float64."),
    ],
)
def test_what_does_not_fit_is_refused(save, arrays, what):
    error = refusal(save(training_set=course(), **arrays))
    assert error.what.startswith(what)


@pytest.mark.parametrize("text", ["{", "[]", "1", "{}", '{"low": 1e999}', "[" * 2000])
def test_a_scaling_that_is_none_is_refused(save, text):
    error = refusal(save(training_set=course(np.uint8), scaling=np.array([text])))
    assert error.what.startswith("scaling is not as marsseg writes it: ")
