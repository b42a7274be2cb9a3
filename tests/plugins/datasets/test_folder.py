"""Read folders of images and masks: pairs, sizes, classes and wrong files."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from PIL import Image

from marsseg_core.errors import RequestError
from marsseg_plugins.datasets.class_file import read_class_file
from marsseg_plugins.datasets.folder import Folder
from marsseg_plugins.datasets.resizing import Resizing

pytestmark = pytest.mark.usefixtures("without_reports")

RANDOM = np.random.default_rng(0)


class MadeFolder:
    """A folder of images and masks that a test fills file by file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        for name in ("images", "masks"):
            (path / name).mkdir(parents=True)

    def save(self, name: str, pixels: np.ndarray, **options) -> np.ndarray:
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path, **options)
        return pixels

    def pair(self, stem: str, size=(8, 10), *, colour=False, classes=5, suffixes=(".png", ".png")):
        image = RANDOM.integers(0, 256, (*size, 3) if colour else size, np.uint8)
        mask = RANDOM.integers(0, classes, size).astype(np.uint8)
        mask[0, 0] = 255
        self.save(f"images/{stem}{suffixes[0]}", image)
        self.save(f"masks/{stem}{suffixes[1]}", mask)
        return image if colour else image[..., None], mask

    def load(self, **parameters):
        return Folder(str(self.path), **parameters).load()

    def refusal(self, **parameters) -> RequestError:
        with pytest.raises(RequestError) as caught:
            self.load(**parameters)
        return caught.value


@pytest.fixture
def folder(tmp_path) -> MadeFolder:
    return MadeFolder(tmp_path / "mine")


# --- folders that are read


def test_the_indices_of_palette_masks_are_ids_on_request(folder):
    """As in PASCAL VOC: 1 has the colour 128,0,0, and 255 is the line around an object."""
    folder.save("images/a.png", np.zeros((1, 3, 3), np.uint8))
    mask = Image.fromarray(np.array([[0, 1, 255]], np.uint8))
    mask.putpalette([0, 0, 0, 128, 0, 0, *(253 * [0, 128, 0]), 224, 224, 192])
    mask.save(folder.path / "masks/a.png")
    assert "palette=indices" in folder.refusal().hint
    assert folder.load(palette="indices").masks.tolist() == [[[0, 1, 255]]]
    (folder.path / "classes.csv").write_text("ground,128,0,0\nrock,0,0,0\nvoid,224,224,192\n")
    assert folder.load().masks.tolist() == [[[1, 0, 255]]]
    assert folder.load(palette="indices").masks.tolist() == [[[0, 1, 255]]]


@pytest.mark.parametrize("colour", [False, True])
@pytest.mark.parametrize("suffixes", [(".png", ".png"), (".TIF", ".png"), (".png", ".tiff")])
def test_images_and_masks_of_the_same_name_belong_together(folder, colour, suffixes):
    pairs = [folder.pair(stem, colour=colour, suffixes=suffixes) for stem in ("b", "a.1", "c")]
    data = folder.load()
    for item, pair in enumerate((1, 0, 2)):  # in the order of their names
        np.testing.assert_array_equal(data.images[item], pairs[pair][0])
        np.testing.assert_array_equal(data.masks[item], pairs[pair][1])
    assert (data.class_names, data.ignore_classes, data.groups) == (
        tuple(f"class_{number}" for number in range(5)),
        (),
        None,
    )
    assert data.source == "folder:mine"


def test_images_may_be_jpeg(folder):
    folder.save("images/a.JPEG", np.full((4, 4, 3), 100, np.uint8))
    folder.save("masks/a.png", np.ones((4, 4), np.uint8))
    assert np.abs(folder.load().images.astype(int) - 100).max() <= 2


def test_hidden_files_and_others_than_pictures_are_passed_over(folder):
    folder.pair("a")
    for name in ("images/.DS_Store", "images/._a.png", "masks/notes.txt", "images/Thumbs.db"):
        (folder.path / name).write_bytes(b"nothing")
    assert len(folder.load()) == 1


def test_a_single_pixel_is_a_data_set(folder):
    folder.save("images/a.png", np.full((1, 1), 9, np.uint8))
    folder.save("masks/a.png", np.zeros((1, 1), np.uint8))
    assert folder.load().images.shape == (1, 1, 1, 1)
    tile = folder.load(resize="tiles", height=4, width=6, classes="mars").masks
    assert tile.tolist() == [[[0] + [255] * 5] + [[255] * 6] * 3]


@pytest.mark.parametrize("limit", [1, 2, 5])
def test_a_limit_takes_images_evenly_spread_over_the_folder(folder, limit):
    masks = [folder.pair(f"{number}")[1] for number in range(5)]
    np.testing.assert_array_equal(folder.load(limit=limit).masks, [masks[i * 5 // limit] for i in range(limit)])


# --- sizes and colours


def test_images_of_different_proportions_that_are_resized_whole_are_told(folder, caplog):
    folder.pair("a", size=(8, 10))
    folder.pair("b", size=(16, 20))
    folder.load(resize="whole", height=6, width=4)
    assert "proportions" not in caplog.text
    folder.pair("c", size=(8, 16))
    caplog.clear()
    folder.load(resize="whole", height=6, width=4)
    (line,) = [line for line in caplog.messages if "proportions" in line]
    assert "The images are 1.25 to 2 times as wide as high; with resize=whole, all items are 0.667 times" in line


def test_images_of_several_sizes_are_refused_with_a_hint(folder):
    folder.pair("a")
    folder.pair("b", size=(9, 10))
    error = folder.refusal()
    assert error.what == "This image has 9 × 10 pixels, but a.png has 8 × 10."
    assert error.where == str(folder.path / "images" / "b.png")
    assert error.hint.startswith("Sizes: 8 × 10 (1×), 9 × 10 (1×). Set resize=whole or resize=tiles")
    assert folder.load(resize="whole", height=6, width=4).images.shape == (2, 6, 4, 1)
    assert folder.load(resize="tiles", height=4, width=5).images.shape == (4 + 6, 4, 5, 1)


def test_grey_among_colours_is_refused_unless_they_are_made_alike(folder):
    grey, colour = folder.pair("a")[0], folder.pair("b", colour=True)[0]
    assert folder.refusal().what == "This image is in colour, but a.png is grey."
    data = folder.load(colour="rgb")
    np.testing.assert_array_equal(data.images[0], grey.repeat(3, axis=-1))
    np.testing.assert_array_equal(data.images[1], colour)
    data = folder.load(colour="grey")
    brightness = colour @ np.array([0.299, 0.587, 0.114])
    assert np.abs(data.images[1, ..., 0] - brightness).max() <= 1


sizes = st.integers(1, 12)
masks = st.sampled_from([0, 1, 2, 255])


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({}, ""),
        ({"resize": "whole"}, "each image is resized whole to 8×16 pixels (height×width), whatever its shape"),
        ({"resize": "tiles"}, "tiles of 8×16 pixels (height×width) are cut out of images, which keep their scale"),
        (
            {"resize": "tiles", "scale": 0.5},
            "tiles of 8×16 pixels (height×width) are cut out of images, after these are resized by the factor 0.5",
        ),
        ({"resize": "windows"}, "windows of 8×16 pixels (height×width) are cut out of images, which keep their scale"),
    ],
)
def test_it_says_how_images_become_items(parameters, words):
    size = {"height": 8, "width": 16} if parameters else {}
    assert Folder(path="photos", **parameters, **size).preparation() == words


@settings(max_examples=100)
@given(data=st.data(), height=sizes, width=sizes, new_height=sizes, new_width=sizes, channels=st.sampled_from([1, 3]))
def test_resizing_invents_no_label(data, height, width, new_height, new_width, channels):
    mask = np.array(data.draw(st.lists(masks, min_size=height * width, max_size=height * width)), np.uint8)
    image = RANDOM.integers(0, 256, (height, width, channels), np.uint8)
    resizing = Resizing("whole", new_height, new_width)
    ((resized, labels, _),) = resizing.pieces(image, mask.reshape(height, width))
    assert resized.shape == (new_height, new_width, channels)
    assert labels.shape == (new_height, new_width)
    assert set(np.unique(labels)) <= set(np.unique(mask))
    assert resized.min() >= image.min()
    assert resized.max() <= image.max()


@settings(max_examples=100)
@given(height=sizes, width=sizes, tile_height=sizes, tile_width=sizes, channels=st.sampled_from([1, 3]))
def test_tiles_put_together_are_the_image_with_black_and_void_around_it(
    height, width, tile_height, tile_width, channels
):
    image = RANDOM.integers(1, 256, (height, width, channels), np.uint8)
    mask = RANDOM.integers(0, 3, (height, width)).astype(np.uint8)
    pieces = list(Resizing("tiles", tile_height, tile_width, edges="pad").pieces(image, mask))
    down, across = -(-height // tile_height), -(-width // tile_width)
    assert len(pieces) == down * across
    whole = np.block([[[pieces[row * across + column][0]] for column in range(across)] for row in range(down)])
    labels = np.block([[pieces[row * across + column][1] for column in range(across)] for row in range(down)])
    np.testing.assert_array_equal(whole[:height, :width], image)
    np.testing.assert_array_equal(labels[:height, :width], mask)
    assert not whole[height:].any()
    assert not whole[:, width:].any()
    assert (labels[height:] == 255).all()
    assert (labels[:, width:] == 255).all()


def test_a_bright_pixel_shrinks_to_its_share(folder):
    image = np.zeros((8, 8), np.uint8)
    image[2:6, 2:6] = 200
    folder.save("images/a.png", image)
    folder.save("masks/a.png", np.zeros((8, 8), np.uint8))
    small = folder.load(resize="whole", height=1, width=1, classes=("x", "y")).images
    assert 45 <= small.item() <= 120


@pytest.mark.parametrize(
    ("parameters", "what"),
    [
        ({"resize": "tiles"}, "resize=tiles needs height and width"),
        ({"resize": "whole", "height": 3}, "resize=whole needs height and width"),
        ({"width": 3}, "height and width need resize=whole, resize=tiles or resize=windows"),
        ({"resize": "whole", "height": 3, "width": 3, "scale": 2.0}, "scale needs resize=tiles"),
    ],
)
def test_sizes_that_would_do_nothing_are_refused(parameters, what):
    with pytest.raises(ValueError, match=what):
        Folder("there", **parameters)


# --- places


def test_subfolders_are_places_and_their_tiles_too(folder):
    for stem in ("site2/a", "site1/a", "site1/deep/b", "alone"):
        folder.pair(stem)
    data = folder.load()
    by_name = dict(zip(["alone", "site1/a", "site1/deep/b", "site2/a"], data.groups.tolist(), strict=True))
    assert by_name["site1/a"] == by_name["site1/deep/b"]
    assert len(set(by_name.values())) == 3
    assert folder.load(groups="none").groups is None
    tiles = folder.load(resize="tiles", height=4, width=10).groups.tolist()
    assert tiles == [group for group in data.groups.tolist() for _ in range(2)]


def test_tiles_of_an_image_stay_together(folder):
    for stem in "ab":
        folder.pair(stem)
    assert folder.load(resize="tiles", height=4, width=10).groups.tolist() == [0, 0, 1, 1]


# --- classes


def test_a_class_file_names_the_classes(folder):
    folder.pair("a", classes=2)
    (folder.path / "classes.txt").write_text("# mine\nground\n\nrock\n")
    data = folder.load()
    assert (data.class_names, data.ignore_classes) == (("ground", "rock"), ())
    assert folder.load(classes=("x", "y")).class_names == ("x", "y")
    assert folder.load(ignore_classes=(1,)).ignore_classes == (1,)
    error = folder.refusal(classes=("x", "y", "z"))
    assert error.what == "`classes` names 3 classes, but the class file has 2."


def test_background_is_ignored_at_any_id_unless_the_user_says_otherwise(folder):
    folder.pair("a", classes=2)
    names = ("ground", "background")
    assert folder.load(classes=names).ignore_classes == (1,)
    assert folder.load(classes=names, ignore_classes=None).ignore_classes == ()
    assert folder.load(classes=("x", "y")).ignore_classes == ()


@pytest.mark.parametrize("mode", ["P", "RGB"])
@pytest.mark.parametrize("name", ["classes.csv", "classes.txt"])
def test_coloured_masks_are_read_by_the_colours_of_the_class_file(folder, mode, name):
    colours = {0: (10, 20, 30), 1: (200, 0, 0), 255: (0, 0, 0)}
    _, mask = folder.pair("a", classes=2)
    coloured = np.zeros((*mask.shape, 3), np.uint8)
    for label, colour in colours.items():
        coloured[mask == label] = colour
    picture = Image.fromarray(coloured)
    (picture.quantize(8) if mode == "P" else picture).save(folder.path / "masks" / "a.png")
    assert "class file" in folder.refusal().hint
    (folder.path / name).write_text("name,r,g,b\nground,10,20,30\nrock,200,0,0\nvoid,0,0,0\n")
    np.testing.assert_array_equal(folder.load().masks[0], mask)
    (folder.path / name).write_text("ground,10,20,30\nrock,200,0,0\n")
    error = folder.refusal()
    assert error.what.startswith("The mask has the colour 0,0,0, which belongs to no class.")
    assert error.what.endswith("The nearest colour is 10,20,30, ground.")


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "A class file must name 1 to 255 classes, not 0."),
        ("void,0,0,0\n", "A class file must name 1 to 255 classes, not 0."),
        ("\n".join(map(str, range(256))), "A class file must name 1 to 255 classes, not 256."),
        ("a\nb,1,2\n", "Line 2 is neither `name` nor `name,r,g,b` or `name,#rrggbb`: b,1,2"),
        (",1,2,3\n", "Line 1 is neither `name` nor `name,r,g,b` or `name,#rrggbb`: ,1,2,3"),
        ("a\nb,1,2,3\n", "Line 2: either all classes or no class must have a colour."),
        ("a,1,2,256\n", "Line 1: a colour must be three whole numbers from 0 to 255, not 1,2,256."),
        ("a,1,2,x\n", "Line 1: a colour must be three whole numbers from 0 to 255, not 1,2,x."),
        ("a,1,2,3\nb,1,2,3\n", "Line 2 repeats the colour of another class: 1,2,3"),
        ("a\n\na\n", "Line 3 names the class a again."),
        ("a,#b4783\n", "Line 1 is neither `name` nor `name,r,g,b` or `name,#rrggbb`: a,#b4783"),
        (
            "name r g b\nregolith 180 120 60\nbig rock 9 9 9\n",
            "There are names, but no colours: `big rock 9 9 9` has no comma, so all of it is read as a name.",
        ),
    ],
)
def test_a_wrong_class_file_is_refused_with_the_line(folder, text, what):
    folder.pair("a")
    (folder.path / "classes.csv").write_text(text)
    error = folder.refusal()
    assert (error.what, error.where) == (what, str(folder.path / "classes.csv"))


@pytest.mark.parametrize("header", ["", "name,colour\n"])
def test_colours_of_a_class_file_may_be_hexadecimal(tmp_path, header):
    path = tmp_path / "classes.csv"
    path.write_text(f"{header}regolith,#b4783c\nvoid,#000000\n")
    assert read_class_file(path).palette == {(180, 120, 60): 0, (0, 0, 0): 255}


def test_names_without_colours_are_told_where_masks_are_in_colour(folder):
    folder.pair("a")
    folder.save("masks/a.png", np.full((8, 10, 3), (180, 120, 60), np.uint8))
    (folder.path / "classes.csv").write_text("regolith\n")
    assert folder.refusal().hint.startswith("The classes have names, but no colours. To read such masks, give each")


def test_class_files_that_are_not_text_or_too_large_or_two_are_refused(folder):
    folder.pair("a")
    (folder.path / "classes.csv").write_bytes(b"caf\xe9\n")
    assert folder.refusal().what == "This is not UTF-8 text: invalid continuation byte at byte 3."
    (folder.path / "classes.csv").write_bytes(b"#" * (2**20 + 1))
    assert folder.refusal().what == "A class file has at most 1,048,576 bytes."
    (folder.path / "classes.txt").write_text("a\n")
    assert folder.refusal().what == "There are two class files, classes.csv and classes.txt."


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(content=st.binary(max_size=60) | st.text("abvoid,0129#\n\r ", max_size=60).map(str.encode))
def test_any_class_file_is_read_or_refused(tmp_path, content):
    path = tmp_path / "classes.csv"
    path.write_bytes(content)
    try:
        read = read_class_file(path)
    except RequestError:
        return
    assert 0 < len(read.names) == len(set(read.names))
    assert set(read.palette.values()) <= {*range(len(read.names)), 255}


# --- folders that are refused


def test_an_image_without_a_mask_and_a_mask_without_an_image_are_refused_by_name(folder, caplog):
    folder.pair("a")
    for number in range(5):
        folder.save(f"images/lonely{number}.png", np.zeros((8, 10), np.uint8))
    folder.save("masks/other.png", np.zeros((8, 10), np.uint8))
    error = folder.refusal()
    what = (
        f"5 images have no mask: {Path('images/lonely0.png')}, {Path('images/lonely1.png')}, "
        f"{Path('images/lonely2.png')} and 2 more. 1 mask has no image: {Path('masks/other.png')}."
    )
    assert (error.what, error.where) == (what, str(folder.path))
    with caplog.at_level(logging.WARNING):
        assert len(folder.load(unpaired="skip")) == 1
    assert caplog.messages[0] == f"Left out of mine: {what}"


def test_names_differ_by_their_folders_and_their_case(folder):
    folder.pair("a/x")
    folder.save("images/b/x.png", np.zeros((8, 10), np.uint8))
    folder.save("masks/b/X.png", np.zeros((8, 10), np.uint8))
    assert folder.refusal().what.startswith("1 image has no mask")


def test_two_images_of_one_name_are_refused(folder):
    folder.pair("a")
    folder.save("images/a.tif", np.zeros((8, 10), np.uint8))
    assert folder.refusal().what == "There is also a.png: which of them is meant?"


def test_empty_folders_are_refused(folder):
    error = folder.refusal()
    assert (error.what, error.where) == ("There are no images with masks in this folder.", str(folder.path))


def test_a_folder_that_is_not_there(tmp_path):
    error = MadeFolder(tmp_path / "x").refusal
    with pytest.raises(RequestError, match="This folder cannot be read: No such file or directory"):
        Folder(str(tmp_path / "gone")).load()
    assert error().what.startswith("There are no images")


def test_a_folder_that_may_not_be_read(folder, monkeypatch):
    folder.pair("a")
    scan = os.scandir

    def forbidden(path):
        if str(path).endswith("masks"):
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", forbidden)
    error = folder.refusal()
    assert error.what == "This folder cannot be read: Permission denied."
    assert error.where == str(folder.path / "masks")


def test_a_mask_of_another_size_than_its_image_is_refused(folder):
    folder.pair("a")
    folder.save("masks/a.png", np.zeros((8, 9), np.uint8))
    error = folder.refusal(resize="whole", height=4, width=4)
    assert error.what == "The mask has 8 × 9 pixels, but its image has 8 × 10."
    assert error.where == str(folder.path / "masks" / "a.png")


def test_a_value_that_is_no_class_is_refused_with_its_file(folder):
    folder.pair("a")
    folder.pair("b", classes=9)
    error = folder.refusal(classes="mars")
    assert error.what.startswith("The mask holds the value")
    assert error.where == str(folder.path / "masks" / "b.png")


@pytest.mark.parametrize("name", ["images/b.png", "masks/b.png"])
@pytest.mark.parametrize(
    ("damage", "what"),
    [
        (lambda content: b"", "This file is empty."),
        (lambda content: content[: len(content) // 2], "This "),
        (lambda content: b"hello" * 20, "This file is not a PNG, JPEG, TIFF, BMP, WebP or GIF."),
        (lambda content: content[:50] + b"\x00\x01" + content[52:], "This "),
    ],
)
def test_a_damaged_image_is_refused_and_the_cache_stays_unchanged(folder, own_cache, name, damage, what):
    for stem in "abc":
        folder.pair(stem)
    before = sorted(path.name for path in (own_cache / "data").glob("*"))
    path = folder.path / name
    path.write_bytes(damage(path.read_bytes()))
    error = folder.refusal()
    assert error.what.startswith(what)
    assert error.where == str(path)
    assert sorted(path.name for path in (own_cache / "data").glob("*")) == before


def test_the_pixel_limit_can_be_changed(folder):
    folder.pair("a", size=(30, 40))
    assert "more than the limit of 1,199" in folder.refusal(pixel_limit=1199).what
    assert len(folder.load(pixel_limit=1200)) == 1


def test_links_to_folders_are_followed_except_in_older_plans_and_nothing_outside_is_touched(folder, tmp_path):
    folder.pair("a")
    outside = MadeFolder(tmp_path / "outside")
    outside.pair("b")
    for name in ("images", "masks"):
        (folder.path / name / "link").symlink_to(outside.path / name)
    (folder.path / "images" / "loop").symlink_to(folder.path)
    before = {path: path.stat().st_mtime_ns for path in outside.path.rglob("*")}
    assert len(folder.load()) == 2
    assert len(folder.load(layout="plain")) == 1
    assert len(Folder(f"{folder.path}/../mine").load()) == 2
    assert {path: path.stat().st_mtime_ns for path in outside.path.rglob("*")} == before


# --- on the command line


def test_a_folder_is_recognised_by_its_two_folders(folder, cli, tmp_path):
    folder.pair("a")
    answer = cli("run", "--data", str(folder.path), "--set", "data.folder.resize=none", "--dry-run")
    assert answer.code == 0, answer.err
    assert str(folder.path) in answer.out
    (tmp_path / "other").mkdir()
    assert "No data set recognises" in cli("run", "--data", str(tmp_path / "other"), "--dry-run").err


@pytest.mark.slow
def test_a_network_trains_on_a_folder_of_colour_images(folder, cli):
    for number in range(12):
        folder.pair(f"{number:02}", size=(20, 24), colour=True, classes=3)
    answer = cli(
        *("run", "--data", f"folder:path={folder.path}:resize=tiles:height=16:width=16", "--arch"),
        *("unet:width=0.125:depth=2:convolutions=1", "--bottleneck", "none", "--epochs", "1", "--out", "run"),
    )
    assert answer.code == 0, answer.err
    assert "miou" in answer.out
