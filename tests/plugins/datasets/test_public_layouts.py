"""The layouts of public data sets: what docs/datasets.md says about each of them, tried on tiny trees."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from marsseg_core.data.split_options import SplitOptions
from marsseg_core.data.splits import make_split
from marsseg_core.errors import RequestError
from marsseg_plugins.datasets.folder import Folder
from tests.helpers import public_trees

VOID = 255


class Tried:
    """A public tree, and what a newcomer does with it."""

    def __init__(self, root: Path, caplog) -> None:
        self.root = root
        self._caplog = caplog

    def read(self, path: str = "", **parameters):
        self._caplog.clear()
        with self._caplog.at_level(logging.WARNING):
            return Folder(str(self.root / path), **parameters).load()

    def refused(self, path: str = "", **parameters) -> str:
        """Return what is wrong and the hint."""
        with pytest.raises(RequestError) as caught:
            Folder(str(self.root / path), **parameters).load()
        return f"{caught.value.what} {caught.value.hint}"

    def not_recognised(self) -> str:
        """Return what is told about a folder without a known layout."""
        assert not Folder.recognises(self.root)
        return Folder.explain(self.root)

    def write(self, name: str, text: str) -> None:
        (self.root / name).write_text(text)

    @property
    def told(self) -> str:
        return "\n".join(self._caplog.messages)


@pytest.fixture
def tried(tmp_path, caplog) -> Callable[[Callable[[Path], None]], Tried]:
    def make(generate: Callable[[Path], None]) -> Tried:
        root = tmp_path / generate.__name__
        generate(root)
        return Tried(root, caplog)

    return make


def ids(data, item: int = 0) -> list[int]:
    return np.unique(data.masks[item]).tolist()


def subsets(data) -> list[int]:
    """Return the number of items in each subset that the data give."""
    return [len(data.split[subset]) for subset in ("train", "validation", "test")]


def test_loveda(tried):
    tree = tried(public_trees.loveda)
    message = tree.not_recognised()
    assert "Train/Rural/images_png/0.png, Train/Rural/masks_png/0.png" in message
    assert '--set "data.folder.masks=ids/{name}_id.png"' in message
    images, masks = "{subset}/*/images_png/{name}.png", "{subset}/*/masks_png/{name}.png"
    data = tree.read(images=images, masks=masks, ignore_classes=(0,))
    assert (subsets(data), len(data.class_names), data.ignore_classes) == ([2, 1, 0], 8, (0,))
    assert "1 image without labels can be predicted" in tree.told
    assert "Not read" not in tree.told
    assert len(tree.read("Train/Rural")) == 1


def test_drive(tried):
    tree = tried(public_trees.drive)
    with pytest.raises(RequestError) as caught:
        tree.read()
    assert "training/mask/21_training_mask.gif" in str(caught.value.where)
    assert "training/images/ with training/mask/ as train" in tree.told
    assert "1 × another folder with images (training/1st_manual)" in tree.told
    assert "set binary=true" in str(caught.value.hint)
    images, masks = "{subset}/images/{name}_*.tif", "{subset}/1st_manual/{name}_manual1.gif"
    data = tree.read(images=images, masks=masks, binary=True)
    assert (subsets(data), len(data.class_names), ids(data)) == ([2, 0, 0], 2, [0, 1])
    assert "1 image without labels" in tree.told


def test_kvasir_seg(tried):
    tree = tried(public_trees.kvasir_seg)
    assert "A JPEG mask has lost its exact ids" in tree.refused()
    assert "A JPEG mask has lost its exact ids" in tree.refused(binary=True)
    for path in sorted((tree.root / "masks").iterdir()):
        grey = np.asarray(Image.open(path).convert("L"))
        Image.fromarray(np.uint8(255) * (grey > 127)).save(path.with_suffix(".png"))
        path.unlink()
    data = tree.read(binary=True)
    assert (len(data), len(data.class_names), ids(data)) == (2, 2, [0, 1])


def test_deepglobe(tried):
    tree = tried(public_trees.deepglobe)
    data = tree.read(ignore_classes=(6,))
    assert (subsets(data), data.class_names) == ([3, 0, 0], tuple(public_trees.DEEPGLOBE))
    assert ids(data) == [0, 1, 2, 3, 4, 5, 6]
    assert "the mask beside it that ends in _mask; images end in _sat" in tree.told
    assert "2 images without labels can be predicted" in tree.told
    split = make_split(data, SplitOptions())
    assert all(len(split[subset]) == 1 for subset in ("train", "validation", "test"))
    public_trees.Tree(tree.root).mask("valid/908_gt.png", list(public_trees.DEEPGLOBE.values()))
    assert not Folder.recognises(tree.root)  # masks with another end are not images without labels


def test_open_earth_map(tried):
    tree = tried(public_trees.open_earth_map)
    message = tree.not_recognised()
    assert f"tokyo/ has the layout two_folders: pass {tree.root / 'tokyo'}" in message
    assert "tokyo/images/tokyo_1.tif, tokyo/labels/tokyo_1.tif" in message
    assert "with {subset} and {group} if they are in the paths" in message
    data = tree.read(images="{group}/images/{name}.tif", masks="{group}/labels/{name}.tif", ignore_classes=(0,))
    assert (len(data), len(data.class_names), len(set(data.groups))) == (6, 9, 2)
    lists = {subset: (tree.root / f"{subset}.txt").read_text().split() for subset in ("train", "val", "test")}
    rows = [f"{name},{subset}\n" for subset, names in lists.items() for name in names]
    tree.write("split.csv", "item,subset\n" + "".join(rows))
    split = make_split(data, SplitOptions(subsets=str(tree.root / "split.csv")))
    assert [data.name(item) for item in split["test"]] == ["aachen/images/aachen_3.tif", "tokyo/images/tokyo_3.tif"]


def test_oxford_pet(tried):
    tree = tried(public_trees.oxford_pet)
    message = tree.refused()
    assert "No image has a mask" in message
    assert "annotations/trimaps/Abyssinian_1.png" in message
    assert '--set "data.folder.masks=' in message
    assert "unpaired=skip" not in message
    tree.write("classes.json", '{"1": "pet", "2": "background", "3": "border"}')
    data = tree.read(masks="annotations/trimaps", ignore_classes=(2,))
    assert (len(data), data.class_names, ids(data)) == (2, ("pet", "background", "border"), [0, 1, 2])
    assert "2 × hidden" in tree.told


def test_ade20k(tried):
    tree = tried(public_trees.ade20k)
    data = tree.read(ignore_classes=(0,))
    assert (subsets(data), len(data.class_names), ids(data)) == ([3, 1, 0], 151, [0, 1, 150])
    assert len(make_split(data, SplitOptions())["test"]) == 1


def test_camvid(tried):
    tree = tried(public_trees.camvid)
    data = tree.read(ignore_classes=(3,))
    assert (subsets(data), data.class_names) == ([1, 1, 1], ("Animal", "Road", "Sky", "Void"))
    assert ids(data) == [0, 1, 2, 3]
    assert "masks end in _L" in tree.told


def test_rellis(tried):
    tree = tried(public_trees.rellis)
    assert "00000/pylon_camera_node_label_id/frame000000-1581624652_750.png" in tree.not_recognised()
    images, masks = "{group}/pylon_camera_node/{name}.jpg", "{group}/pylon_camera_node_label_id/{name}.png"
    data = tree.read(images=images, masks=masks)
    assert (len(data), len(data.class_names), ids(data)) == (2, 35, [0, 3, 7, 34])
    assert len(set(data.groups)) == 2
    tree.write("classes.json", '{"0": "void", "3": "grass", "7": "sky", "34": "rubble"}')
    named = tree.read(images=images, masks=masks)
    assert (named.class_names, ids(named)) == (("grass", "sky", "rubble"), [0, 1, 2, VOID])


def test_lunar(tried):
    tree = tried(public_trees.lunar)
    assert "images/ground/ground0001.png, images/render/render0001.png" in tree.not_recognised()
    images = "images/render/render{name}.png"
    message = tree.refused(images=images, masks="images/clean/clean{name}.png")
    assert all(colour in message for colour in ("(0, 0, 0)", "(255, 0, 0)", "(0, 255, 0)", "(0, 0, 255)"))
    tree.write("classes.csv", "ground,0,0,0\nsky,255,0,0\nsmall rock,0,255,0\nlarge rock,0,0,255\n")
    shades = tree.refused(images=images, masks="images/ground/ground{name}.png")
    assert "The mask has the colour 0,212,0, which belongs to no class." in shades
    data = tree.read(images=images, masks="images/clean/clean{name}.png")
    assert (len(data), data.class_names[3], ids(data)) == (2, "large rock", [0, 1, 2, 3])


def test_roboflow(tried):
    tree = tried(public_trees.roboflow)
    data = tree.read()
    assert (subsets(data), data.class_names, data.ignore_classes) == ([1, 1, 1], ("background", "rock", "sand"), (0,))
    assert "train/_classes.csv" not in tree.told


def test_cloud38(tried):
    tree = tried(public_trees.cloud38)
    assert "38-Cloud_training/train_gt/gt_patch_1" in tree.not_recognised()
    data = tree.read(
        "38-Cloud_training", images="train_red/red_{name}.TIF", masks="train_gt/gt_{name}.TIF", binary=True
    )
    assert (len(data), data.images.shape[-1], len(data.class_names), ids(data)) == (2, 1, 2, [0, 1])


def test_decathlon(tried):
    message = tried(public_trees.decathlon).not_recognised()
    assert "No file is an image (.bmp, " in message
    assert ".nii.gz" in message
    assert "did you mean" not in message


def test_supervisely(tried):
    tree = tried(public_trees.supervisely)
    message = tree.not_recognised()
    assert "ds0/ann/ has no images, but a.png.json." in message
    assert "Images here are, for example, ds0/img/a.png." in message
    for name in ("a.png", "b.png"):
        public_trees.Tree(tree.root).mask(f"ds0/masks_machine/{name}", [0, 1])
    assert len(tree.read("ds0", images="img", masks="masks_machine")) == 2


def test_cell_tracking(tried):
    tree = tried(public_trees.cell_tracking)
    assert "01/t000.tif, 01_GT/SEG/man_seg000.tif" in tree.not_recognised()
    found = {"images": "{group}/t{name}.tif", "masks": "{group}_GT/SEG/man_seg{name}.tif"}
    assert "1 image has no mask: 01/t001.tif" in tree.refused(**found)
    assert "The mask has values from 0 to 300; ids are 0 to 255." in tree.refused(**found, unpaired="skip")


def test_the_classes_of_roboflow_must_have_values(tried):
    tree = tried(public_trees.roboflow)
    for text in ("filename, rock, sand\na.jpg, 0, 1\n", "Pixel Value, Class\n0, rock\n00, sand\n", ""):
        tree.write("train/_classes.csv", text)
        assert "This is not as Roboflow writes it" in tree.refused()


def test_colours_of_two_classes_are_black_and_white(tried):
    tree = tried(public_trees.camvid)
    (tree.root / "class_dict.csv").unlink()
    assert "which belongs to no class" in tree.refused(binary=True)
