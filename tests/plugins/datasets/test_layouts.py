"""The layouts of folders that people bring: one test for each row of the table in docs/datasets.md."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from marsseg_core.errors import RequestError
from marsseg_plugins.datasets.ai4mars import AI4Mars
from marsseg_plugins.datasets.folder import Folder
from marsseg_plugins.datasets.layouts.voc import voc_colour
from marsseg_plugins.datasets.layouts.words import meaning_of

pytestmark = pytest.mark.usefixtures("without_reports")

SIZE = (4, 6)


class Tree:
    """A folder that a test fills with tiny images, whose pixels are those of no other one."""

    def __init__(self, root: Path, caplog) -> None:
        self.root = root
        self._caplog = caplog
        self._count = 256

    def image(self, name: str) -> None:
        self._count -= 1
        self.save(name, np.full((*SIZE, 3), self._count, np.uint8))

    def mask(self, name: str, ids=(0, 1)) -> None:
        mask = np.full(SIZE, ids[0], np.uint8)
        mask[0, : len(ids)] = ids
        self.save(name, mask)

    def save(self, name: str, pixels: np.ndarray) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)

    def write(self, name: str, text: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def load(self, path: str = "", **parameters):
        assert Folder.recognises(self.root / path) or parameters
        self._caplog.clear()
        with self._caplog.at_level(logging.WARNING):
            return Folder(str(self.root / path), **parameters).load()

    def refusal(self, **parameters) -> RequestError:
        with pytest.raises(RequestError) as caught:
            Folder(str(self.root), **parameters).load()
        return caught.value

    @property
    def told(self) -> list[str]:
        return [message for message in self._caplog.messages if "The classes are those found" not in message]


@pytest.fixture
def tree(tmp_path, caplog) -> Tree:
    (tmp_path / "mine").mkdir()
    return Tree(tmp_path / "mine", caplog)


def subsets(data) -> dict[str, str]:
    """The subset of each item by its name; an item in none is left out."""
    return {data.name(i): subset for subset in ("train", "validation", "test") for i in data.split[subset].tolist()}


# --- two folders


def test_images_and_masks_are_read_without_a_message(tree):
    tree.image("images/site1/a.jpg")
    tree.mask("masks/site1/a.png")
    data = tree.load()
    assert (list(data.names), data.split, tree.told) == (["site1/a.jpg"], None, [])


@pytest.mark.parametrize(("images", "masks"), [("image", "mask"), ("IMGS", "gt"), ("input", "Labels"), ("img", "ann")])
def test_other_names_of_the_two_folders_are_told(tree, images, masks):
    tree.image(f"{images}/a.jpg")
    tree.mask(f"{masks}/a.png")
    assert len(tree.load()) == 1
    assert tree.told == [f"mine has the layout two_folders: {images}/ with {masks}/."]


def test_a_layout_that_the_user_names_is_told_without_a_warning(tree, caplog):
    tree.image("img/a.jpg")
    tree.mask("gt/a.png")
    with caplog.at_level(logging.INFO):
        Folder(str(tree.root), layout="two_folders").load()
    levels = {record.getMessage(): record.levelname for record in caplog.records}
    assert levels["mine has the layout two_folders: img/ with gt/."] == "INFO"


def test_two_folders_of_masks_are_refused_by_name_unless_one_is_masks_or_named(tree):
    tree.image("images/a.png")
    tree.mask("labels/a.png")
    tree.mask("gt/a.png")
    error = tree.refusal()
    assert (error.what, error.hint) == (
        "There are 2 folders of masks: gt and labels.",
        "Name the one that is meant, as in masks=gt.",
    )
    assert len(tree.load(masks="gt")) == 1
    tree.mask("masks/a.png")
    assert len(tree.load()) == 1


@pytest.mark.parametrize(
    "form", ["{subset}/images/{name} {subset}/masks/{name}", "images/{subset}/{name} masks/{subset}/{name}"]
)
def test_folders_of_subsets_are_the_split_and_places_are_below(tree, form):
    for subset, name in [("train", "site1/a"), ("train", "site1/b"), ("train", "site2/c"), ("valid", "site3/d")]:
        image, mask = form.format(subset=subset, name=f"{name}.png").split()
        tree.image(image)
        tree.mask(mask)
    data = tree.load()
    assert subsets(data) == {
        "train/site1/a.png": "train",
        "train/site1/b.png": "train",
        "train/site2/c.png": "train",
        "valid/site3/d.png": "validation",
    }
    assert data.groups.tolist() == [0, 0, 1, 2]
    assert "as validation" in tree.told[0]


@pytest.mark.parametrize(
    ("images", "masks", "words"),
    [("{}_images", "{}_masks", ("train", "val")), ("images{}", "labels{}", ("Tr", "Val"))],
)
def test_names_of_folders_may_say_both(tree, images, masks, words):
    for word in words:
        tree.image(f"{images.format(word)}/a.png")
        tree.mask(f"{masks.format(word)}/a.png")
    train, validation = (images.format(word) for word in words)
    assert subsets(tree.load()) == {f"{train}/a.png": "train", f"{validation}/a.png": "validation"}


@pytest.mark.parametrize(
    ("name", "role", "subset"),
    [
        ("img_dir", "images", ""),
        ("Masks_PNG", "masks", ""),
        ("Ground Truth", "masks", ""),
        ("training-labels", "masks", "train"),
        ("png", "", ""),
        ("tr", "", ""),
        ("site1", "", ""),
        ("images_masks", "", ""),
        ("train_test", "", ""),
    ],
)
def test_what_names_of_folders_say(name, role, subset):
    assert meaning_of(name) == (role, subset)


def test_folders_of_ones_own_names_may_have_subsets_too(tree):
    for subset in ("train", "val"):
        tree.image(f"data/{subset}/a.png")
        tree.mask(f"masks/{subset}/a.png")
    assert subsets(tree.load(images="data")) == {"train/a.png": "train", "val/a.png": "validation"}
    assert len(tree.load(images=str(tree.root / "data"))) == 2
    error = tree.refusal(images="gone")
    assert (error.what, error.where) == (
        "This folder cannot be read: No such file or directory.",
        str(tree.root / "gone"),
    )


@pytest.mark.parametrize("masks", ["{}_masks", "{}annot", "{}_labels"])
def test_images_may_be_in_the_folders_of_the_subsets_themselves(tree, masks):
    for subset in ("train", "val"):
        tree.image(f"{subset}/a.png")
        tree.mask(f"{masks.format(subset)}/a_mask.png")
    tree.image("test/b.png")
    assert subsets(tree.load()) == {"train/a.png": "train", "val/a.png": "validation"}
    assert len(Folder(str(tree.root)).unlabelled()) == 1


def test_test_images_without_masks_are_for_prediction(tree):
    for subset in ("train", "test"):
        tree.image(f"{subset}/images/a.png")
    tree.mask("train/masks/a.png")
    data = tree.load()
    assert list(data.names) == ["train/a.png"]
    assert tree.told[1] == "mine: 1 image without labels can be predicted, or used by --semi, but not scored."
    unlabelled = Folder(str(tree.root)).unlabelled()
    assert unlabelled.shape == (1, *SIZE, 3)
    assert (unlabelled == 254).all()


def test_a_folder_of_images_without_labels_beside_the_two_folders_is_for_prediction(tree):
    """`marsseg data convert` writes one."""
    for name in ("images/a.png", "unlabelled/b.png", "unlabelled/c.png"):
        tree.image(name)
    tree.mask("masks/a.png")
    assert list(tree.load().names) == ["a.png"]
    assert tree.told == ["mine: 2 images without labels can be predicted, or used by --semi, but not scored."]
    assert Folder(str(tree.root)).unlabelled().shape == (2, *SIZE, 3)


@pytest.mark.parametrize("folders", [["test"], ["train", "site3"]])
def test_folders_that_are_not_a_split_are_places(tree, folders):
    for folder in folders:
        tree.image(f"images/{folder}/a.png")
        tree.mask(f"masks/{folder}/a.png")
    data = tree.load()
    assert (data.split, data.groups.tolist()) == (None, [*range(len(folders))])


def test_a_plan_from_before_keeps_its_meaning(tree):
    for subset in ("train", "val"):
        tree.image(f"images/{subset}/a.png")
        tree.mask(f"masks/{subset}/a.png")
    (tree.root / "labelmap.txt").write_text("x:1,2,3::\ny:2,3,4::\n")
    data = tree.load(layout="plain")
    assert (data.split, data.groups.tolist(), data.class_names, tree.told) == (None, [0, 1], ("class_0", "class_1"), [])


def test_a_subset_without_masks_is_refused_unless_it_is_for_testing(tree):
    tree.image("train/images/a.png")
    tree.mask("train/masks/a.png")
    tree.image("val/images/b.png")
    assert tree.refusal().what == "There are images in val/images, but no folder of masks."


@pytest.mark.parametrize(("image", "mask"), [("", "_mask"), ("", "-anything"), ("_img", "_gt")])
def test_masks_with_a_suffix_in_their_own_folder(tree, image, mask):
    for stem in ("1", "10", "b"):
        tree.image(f"images/{stem}{image}.png")
        tree.mask(f"masks/{stem}{mask}.png")
    data = tree.load()
    assert set(data.names) == {f"{stem}{image}.png" for stem in ("1", "10", "b")}
    assert f"masks end in {mask}" in tree.told[0]


# --- a suffix


@pytest.mark.parametrize(("image", "mask"), [("", "_mask"), ("", "_L"), ("_leftImg8bit", "_gtFine_labelIds")])
def test_masks_beside_their_images(tree, image, mask):
    for stem in ("a", "b"):
        tree.image(f"{stem}{image}.jpg")
        tree.mask(f"{stem}{mask}.png")
    assert list(tree.load().names) == [f"a{image}.jpg", f"b{image}.jpg"]
    assert tree.told[0].startswith(
        f"mine has the layout suffix: each image with the mask beside it that ends in {mask}"
    )


def test_masks_beside_their_images_in_folders_of_subsets(tree):
    for name in ("train/site/a", "valid/b"):
        tree.image(f"{name}.jpg")
        tree.mask(f"{name}_mask.png")
    tree.image("test/c.jpg")
    data = tree.load()
    assert subsets(data) == {"train/site/a.jpg": "train", "valid/b.jpg": "validation"}
    assert Folder(str(tree.root)).unlabelled().shape == (1, *SIZE, 3)


def test_a_suffix_of_ones_own_and_an_image_without_a_mask(tree):
    tree.image("a.jpg")
    tree.mask("a_ids.png")
    tree.image("b.jpg")
    assert not Folder.recognises(tree.root)
    assert tree.refusal(mask_suffix="_ids").what == "1 image has no mask: b.jpg."
    assert list(tree.load(mask_suffix="_ids", unpaired="skip").names) == ["a.jpg"]


def test_a_folder_of_images_alone_is_no_data_set(tree):
    for name in ("a", "b", "a_2"):
        tree.image(f"{name}.png")
    assert not Folder.recognises(tree.root)


# --- data sets and tools


def test_voc(tree):
    palette = np.array([voc_colour(index) for index in range(256)], np.uint8)
    for name in ("a", "b", "c"):
        tree.image(f"JPEGImages/{name}.jpg")
        mask = Image.fromarray(np.full(SIZE, 15, np.uint8), mode="P")
        mask.putpixel((0, 0), 255)
        mask.putpalette(palette.tobytes())
        (tree.root / "SegmentationClass").mkdir(exist_ok=True)
        mask.save(tree.root / f"SegmentationClass/{name}.png")
    tree.image("JPEGImages/d.jpg")
    tree.image("JPEGImages/e.jpg")
    tree.write("Annotations/a.xml", "<annotation/>")
    tree.write("ImageSets/Segmentation/train.txt", "b\nc\n")
    tree.write("ImageSets/Segmentation/val.txt", "a\n")
    tree.write("ImageSets/Segmentation/trainval.txt", "a\nb\nc\n")
    tree.write("ImageSets/Segmentation/test.txt", "d\n")
    data = tree.load()
    assert subsets(data) == {"b.jpg": "train", "c.jpg": "train", "a.jpg": "validation"}
    assert np.unique(data.masks).tolist() == [15, 255]
    assert (data.class_names[15], data.class_colours[15]) == ("person", (192, 128, 128))
    assert len(Folder(str(tree.root)).unlabelled()) == 1
    assert tree.told[0].startswith("mine has the layout voc: JPEGImages/ with SegmentationClass/, with the subsets")
    assert tree.told[2] == f"Not read in mine: 1 × without a mask ({Path('JPEGImages/e.jpg')})."


def test_voc_with_names_alone_as_labelme_writes_it(tree):
    tree.image("JPEGImages/a.jpg")
    mask = Image.fromarray(np.full(SIZE, 1, np.uint8), mode="P")
    mask.putpalette([9, 8, 7] * 256)
    (tree.root / "SegmentationClass").mkdir()
    mask.save(tree.root / "SegmentationClass/a.png")
    tree.write("class_names.txt", "_background_\nrock\n")
    data = tree.load()
    assert (data.class_names, np.unique(data.masks).tolist()) == (("_background_", "rock"), [1])


def test_voc_without_train_takes_the_rest_of_trainval(tree):
    for name in ("a", "b"):
        tree.image(f"JPEGImages/{name}.jpg")
        tree.mask(f"SegmentationClass/{name}.png")
    tree.write("ImageSets/Segmentation/trainval.txt", "a\nb\n")
    tree.write("ImageSets/Segmentation/val.txt", "a\n")
    assert subsets(tree.load()) == {"b.jpg": "train", "a.jpg": "validation"}


def test_voc_as_cvat_writes_it(tree):
    tree.image("JPEGImages/a.jpg")
    colours = np.zeros((*SIZE, 3), np.uint8)
    colours[0], colours[1] = (10, 20, 30), (224, 224, 192)
    tree.save("SegmentationClass/a.png", colours)
    tree.write("labelmap.txt", "# label:color_rgb:parts:actions\nsoil:0,0,0::\nrock:10,20,30:a,b:\n")
    tree.write("ImageSets/Segmentation/default.txt", "a\n")
    data = tree.load()
    assert data.masks[0, :3, 0].tolist() == [1, 255, 0]
    assert (data.class_names, data.class_colours) == (("soil", "rock"), ((0, 0, 0), (10, 20, 30)))
    assert data.split is None


def test_cityscapes(tree):
    for subset, city, name in [("train", "bonn", "bonn_1"), ("train", "ulm", "ulm_1"), ("val", "lindau", "lindau_1")]:
        tree.image(f"leftImg8bit/{subset}/{city}/{name}_leftImg8bit.png")
        tree.mask(f"gtFine/{subset}/{city}/{name}_gtFine_labelIds.png", ids=(7, 26, 4, 33))
        tree.mask(f"gtFine/{subset}/{city}/{name}_gtFine_color.png")
        tree.write(f"gtFine/{subset}/{city}/{name}_gtFine_polygons.json", "{}")
    data = tree.load()
    assert data.masks[0, 0, :4].tolist() == [0, 13, 255, 18]
    assert data.class_names[13] == "car"
    assert list(subsets(data).values()) == ["train", "train", "validation"]
    assert data.groups.tolist() == [0, 2, 1]
    assert tree.told[0] == "mine has the layout cityscapes: the 19 scored classes; all other ids are void."
    assert "3 × neither leftImg8bit/{subset}/{group}/{name}_leftImg8bit.* nor gtFine/{subset}" in tree.told[1]


def cityscapes_in_colours(tree, suffix=".jpg", mask_end="_gtFine_color"):
    for subset, site in [("train", "gale"), ("train", "gusev"), ("val", "ares")]:
        tree.image(f"leftImg8bit/{subset}/{site}/{site}_1_leftImg8bit{suffix}")
        colours = np.full((*SIZE, 3), (180, 120, 60), np.uint8)
        colours[0] = (90, 90, 90)
        tree.save(f"gtFine/{subset}/{site}/{site}_1{mask_end}.png", colours)


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_cityscapes_with_masks_in_colours_alone(tree, suffix):
    cityscapes_in_colours(tree, suffix)
    tree.write("classes.csv", "name,r,g,b\nregolith,180,120,60\nrock,90,90,90\n")
    data = tree.load()
    assert (data.class_names, data.masks[0, :2, 0].tolist()) == (("regolith", "rock"), [1, 0])
    assert [*subsets(data).values()] == ["train", "train", "validation"]
    assert data.groups.tolist() == [1, 2, 0]
    assert tree.told == [
        "mine has the layout cityscapes: masks *_gtFine_color, with the classes of the class file or of the masks."
    ]


def test_cityscapes_in_colours_without_a_class_file_is_refused_with_the_colours(tree):
    cityscapes_in_colours(tree)
    assert "lines name,r,g,b. The colours of this mask are (180, 120, 60), (90, 90, 90)." in tree.refusal().hint


def test_cityscapes_with_other_ends_says_which_it_wants_and_what_else_reads_it(tree):
    cityscapes_in_colours(tree, mask_end="_ids")
    tree.write("classes.csv", "name,r,g,b\nregolith,180,120,60\nrock,90,90,90\n")
    error = tree.refusal(unpaired="skip")
    assert "_leftImg8bit.* has a mask gtFine/{subset}/{group}/{name}_gtFine_labelIds.*." in error.what
    assert "layout=two_folders:images=leftImg8bit:masks=gtFine" in error.hint
    assert len(tree.load(mask_suffix="_ids")) == 3
    assert len(tree.load(layout="two_folders", images="leftImg8bit", masks="gtFine")) == 3


def test_skipping_is_not_offered_where_nothing_would_remain(tree):
    tree.image("left/a.png")
    tree.write("pairs.csv", "image,mask\nleft/a.png,ids/a.png\n")
    with pytest.raises(RequestError) as caught:
        Folder(str(tree.root / "pairs.csv")).load()
    assert (caught.value.what, caught.value.hint) == ("1 mask of the table does not exist: ids/a.png.", None)


def test_a_pattern(tree):
    for subset, group, name in [("train", "s1", "a"), ("train", "s2", "a"), ("val", "s1", "b"), ("demo", "s", "c")]:
        tree.image(f"left/{subset}/{group}/{name}_1.jpg")
        tree.mask(f"gt/{subset}/{group}_{name}.png")
    patterns = {"images": "left/{subset}/{group}/{name}_*.jpg", "masks": "gt/{subset}/{group}_{name}.png"}
    data = tree.load(**patterns)
    assert subsets(data) == {
        "left/train/s1/a_1.jpg": "train",
        "left/train/s2/a_1.jpg": "train",
        "left/val/s1/b_1.jpg": "validation",
    }
    assert data.groups.tolist() == [0, 1, 0]
    assert "1 × in no subset of a split" in tree.told[1]


@pytest.mark.parametrize(
    ("parameters", "what", "where", "hint"),
    [
        (
            {"images": "{x}/{name}.png", "masks": "gt/{name}.png"},
            "There is no field {x} in patterns.",
            "images={x}/{name}.png",
            "Fields are {subset}, {group}, {name}.",
        ),
        (
            {"images": "left/{name}.png", "masks": "gt"},
            "A pattern needs the field {name}.",
            "masks=gt",
            "For example: images=images/{name}.jpg and masks=masks/{name}.png.",
        ),
        (
            {"images": "left/{name}.png"},
            "A pattern is needed for the images and for the masks.",
            None,
            "For example: images=images/{name}.jpg and masks=masks/{name}.png.",
        ),
    ],
)
def test_a_wrong_pattern_is_refused_with_its_parameter_and_what_to_write(tree, parameters, what, where, hint):
    tree.image("left/a.png")
    error = tree.refusal(**parameters)
    assert (error.what, error.where, error.hint) == (what, where or str(tree.root), hint)


def test_a_table(tree):
    for name in ("a", "b", "c"):
        tree.image(f"deep/{name}.jpg")
    for name in ("a", "b"):
        tree.mask(f"ids/{name}_x.png")
    tree.write(
        "pairs.csv",
        "image,mask,split,group\ndeep/a.jpg,ids/a_x.png,train,s1\ndeep/b.jpg,ids/b_x.png,val,s2\ndeep/c.jpg,,test,\n",
    )
    data = tree.load("pairs.csv")
    assert subsets(data) == {"deep/a.jpg": "train", "deep/b.jpg": "validation"}
    assert data.groups.tolist() == [0, 1]
    assert tree.told[0] == ("pairs.csv has the layout table: the columns image and mask, with split and group.")
    assert len(Folder(str(tree.root / "pairs.csv")).unlabelled()) == 1


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "There is no column image."),
        ("image,file\na,b\n", "There is no column mask."),
        ("image,mask\n,b\n", "Line 2 names no image."),
        ("image,mask\na.png,m.png\na.png,m.png\n", "Line 3 names the image a.png again; it is in line 2 already."),
        ("image,mask,split\na.png,m.png,tain\n", "Line 2: there is no subset tain."),
        ("image,mask\na.png,m.png,3\n", "Line 2 has 3 fields; the header has 2."),
        ("image,mask\nb.png,m.png\n", "1 image of the table does not exist: b.png."),
        (
            "image;mask\na.png;n.png\nb.png;\n",
            "1 image of the table does not exist: b.png. 1 mask of the table does not exist: n.png.",
        ),
    ],
)
def test_a_wrong_table_is_refused_with_its_line(tree, text, what):
    tree.image("a.png")
    tree.mask("m.png")
    tree.write("pairs.csv", text)
    with pytest.raises(RequestError) as caught:
        tree.load("pairs.csv")
    assert caught.value.what == what


# --- what is not read


def test_what_is_not_read_is_said_with_the_reason(tree):
    for stem in ("a", "b"):
        tree.image(f"images/{stem}.png")
        tree.mask(f"masks/{stem}.png")
    tree.image("images/lonely.png")
    tree.write("images/.DS_Store", "")
    for name in ("readme.txt", "b.json", "c.json", "d.json"):
        tree.write(f"images/{name}", "")
    assert len(tree.load(unpaired="skip")) == 2
    there = [str(Path("images", name)) for name in ("lonely.png", ".DS_Store", "b.json", "c.json", "d.json")]
    assert tree.told == [
        f"Left out of mine: 1 image has no mask: {there[0]}.",
        f"Not read in mine: 1 × hidden ({there[1]}); "
        f"4 × not an image by its suffix ({there[2]}, {there[3]}, {there[4]} and 1 more).",
    ]


def test_the_folder_is_named_wherever_it_is_read_from(tree, monkeypatch):
    tree.image("img/a.png")
    tree.mask("gt/a.png")
    monkeypatch.chdir(tree.root)
    Folder(".").load()
    assert tree.told[0] == "mine has the layout two_folders: img/ with gt/."


def test_links_to_folders_are_followed_once(tree, tmp_path):
    outside = Tree(tmp_path / "outside", None)
    for folder, save in (("images", outside.image), ("masks", outside.mask)):
        save(f"{folder}/deep/a.png")
        (outside.root / folder / "again").symlink_to(outside.root / folder)
        (tree.root / folder).mkdir()
        (tree.root / folder / "link").symlink_to(outside.root / folder)
        (tree.root / folder / "loop").symlink_to(tree.root)
        (tree.root / folder / "twice").symlink_to(outside.root / folder)
    assert list(tree.load().names) == ["link/deep/a.png"]
    assert "6 × a link to a folder that is read already" in tree.told[0]


# --- no layout


def test_where_nothing_fits_each_data_set_says_what_it_looks_for(tree, cli):
    tree.image("imges/a.png")
    tree.mask("maks/a.png")
    tree.write("notes.txt", "")
    (tree.root / "msl").mkdir()
    tree.image("deep/images/a.png")
    tree.mask("deep/masks/a.png")
    error = cli("run", "--data", str(tree.root), "--dry-run").err
    assert "No data set recognises" in error
    assert "npz: It looks for a file that ends in .npz." in error
    assert "msl/ is there, but without these folders." in error
    assert "folder: The folder holds deep/, imges/, maks/, msl/, 1 .txt." in error.splitlines()[2]
    assert "       - images/ and masks/, or other usual names of the two folders" in error
    assert "imges/: did you mean 'images'?" in error
    assert "maks/: did you mean 'mask" in error
    assert f"deep/ has the layout two_folders: pass {tree.root / 'deep'}." in error
    hint = tree.refusal().hint
    assert hint.startswith("The folder holds ")
    assert "\nIt looks for one of these:\n- " in hint


def test_several_folders_that_nothing_reads_are_told_in_the_plural(tree):
    for number in range(7):
        tree.write(f"{number}/notes.txt", "")
    assert "The folder holds 0/, 1/, 2/, 3/, 4/, 5/, 1 more folder." in tree.refusal().hint
    for rover in ("msl", "m2020"):
        (tree.root / rover).mkdir()
    assert "msl/ and m2020/ are there, but without these folders." in AI4Mars.explain(tree.root)


def test_where_two_layouts_fit_the_user_says_which(tree):
    tree.image("a.png")
    tree.write("a.json", json.dumps({"shapes": [], "imageHeight": 4, "imageWidth": 6}))
    tree.write("_annotations.coco.json", "{}")
    error = tree.refusal()
    assert error.what == "This can be read in 2 ways: coco, labelme."
    assert error.hint == "Say which, as in layout=coco."


@pytest.mark.parametrize(
    ("layout", "parameters"),
    [("plain", {"mask_suffix": "_x"}), ("suffix", {"images": "a"}), ("voc", {"masks": "a"}), ("coco", {"masks": "a"})],
)
def test_what_has_no_meaning_in_a_layout_is_refused(tree, layout, parameters):
    error = tree.refusal(layout=layout, **parameters)
    key = next(iter(parameters))
    assert error.what == f"{key} has no meaning in the layout {layout}."
    assert "Remove it, or set a layout that uses it: two_folders" in error.hint


# --- label maps


@pytest.mark.parametrize(
    ("name", "text", "names", "ids"),
    [
        ("class_names.txt", "soil\nrock\nsand\n", ("soil", "rock", "sand"), [0, 1, 2]),
        ("classes.json", '{"0": "soil", "1": "rock", "2": "sand"}', ("soil", "rock", "sand"), [0, 1, 2]),
        ("id2label.json", '{"2": "sand", "0": "void", "1": "soil"}', ("soil", "sand"), [255, 0, 1]),
        ("class_names.json", '{"soil": 0, "rock": 1, "sand": 2, "x": 9}', ("soil", "rock", "sand", "x"), [0, 1, 2]),
        ("classes.json", '["soil", "rock", "sand"]', ("soil", "rock", "sand"), [0, 1, 2]),
    ],
)
def test_label_maps_of_other_tools(tree, name, text, names, ids):
    tree.image("images/a.png")
    tree.mask("masks/a.png", ids=(0, 1, 2))
    tree.write(name, text)
    data = tree.load()
    assert data.class_names == names
    assert data.masks[0, 0, :3].tolist() == ids


@pytest.mark.parametrize(
    ("name", "text", "what"),
    [
        ("labelmap.txt", "a:1,2::\n", "Line 1 is not as CVAT writes it, `name:r,g,b:parts:actions`: a:1,2::"),
        ("labelmap.txt", "a:1,2,3::\na:2,3,4::\n", "Line 2 repeats the name or the colour of another class: a:2,3,4::"),
        ("labelmap.txt", "#\n", "A class file must name 1 to 255 classes, not 0."),
        ("classes.json", "{", "This is not JSON: Expecting property name enclosed in double quotes"),
        ("classes.json", "[" * 10**5, "This JSON is nested too deeply."),
        ("classes.json", '{"300": "a"}', "A JSON of classes must be {id: name}, {name: id} or a list of names"),
        ("classes.json", '{"0": "a", "5": "b"}', "The mask holds the value 1, which is the id of no class."),
    ],
)
def test_a_wrong_label_map_is_refused(tree, name, text, what):
    tree.image("images/a.png")
    tree.mask("masks/a.png")
    tree.write(name, text)
    assert tree.refusal().what.startswith(what)


def test_two_label_maps_are_refused_unless_one_is_marssegs_own(tree):
    tree.image("images/a.png")
    tree.mask("masks/a.png")
    tree.write("labelmap.txt", "a:1,2,3::\nb:2,3,4::\n")
    tree.write("class_names.txt", "x\ny\n")
    assert tree.refusal().what == "There are two class files, labelmap.txt and class_names.txt."
    tree.write("classes.csv", "u\nv\n")
    assert tree.load().class_names == ("u", "v")
    assert tree.told[0] == "mine: the classes are those of classes.csv; not read: labelmap.txt, class_names.txt"


# --- overlap of tiles


class TestOverlap:
    @pytest.mark.parametrize(
        ("overlap", "starts"), [(0, [0, 4, 6]), (1, [0, 3, 6]), (2, [0, 2, 4, 6]), (0.5, [0, 2, 4, 6])]
    )
    def test_tiles_begin_closer_together(self, overlap, starts):
        from marsseg_plugins.datasets.resizing import Resizing

        pixels = np.zeros((4, 10), np.uint8)
        pieces = Resizing("tiles", 4, 4, overlap=overlap).pieces(pixels[..., None], pixels)
        assert [place for _, _, (_, place) in pieces] == starts

    def test_it_is_told_and_tiles_stay_together(self, tree):
        tree.image("images/a.png")
        tree.mask("masks/a.png")
        data = tree.load(resize="tiles", height=4, width=4, overlap=2.0)
        assert list(data.names) == ["a.png@r0c0", "a.png@r0c2"]
        assert data.groups.tolist() == [0, 0]
        assert "Tiles overlap: 33.3 % of all pixels are in several tiles, and count in each." in tree.told[0]

    @pytest.mark.parametrize(
        ("parameters", "what"),
        [
            ({"overlap": 2.0}, "overlap needs resize=tiles"),
            ({"overlap": 1.5, "resize": "tiles", "height": 4, "width": 4}, "a share below 1 or a whole number"),
            ({"overlap": 4.0, "resize": "tiles", "height": 4, "width": 8}, "must be less than height and width"),
        ],
    )
    def test_what_cannot_be_is_refused(self, parameters, what):
        with pytest.raises(ValueError, match=what):
            Folder("there", **parameters)
