"""Generate tiny trees with the folders, names and kinds of files of public data sets.

Each function fills a folder as the data set's own archives do when they are unpacked. Nothing is downloaded; pixels are
invented. docs/datasets.md names the sources of the layouts.
"""

from __future__ import annotations

import base64
import gzip
import json
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

SIZE = (8, 12)


def lines(*words: str) -> str:
    """Return a text with one line for each argument."""
    return "".join(f"{word}\n" for word in words)


class Tree:
    """Write files below a folder. No two images have the same pixels."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._count = 0

    def image(self, name: str, *, grey: bool = False, depth: type = np.uint8) -> None:
        """Write an image of random pixels, of three channels or one."""
        self._count += 1
        shape = SIZE if grey else (*SIZE, 3)
        self.save(name, np.random.default_rng(self._count).integers(0, np.iinfo(depth).max, shape).astype(depth))

    def mask(self, name: str, values: Sequence, depth: type = np.uint8) -> None:
        """Write a mask with upright stripes of these values: ids, or colours."""
        stripes = np.asarray(values, depth)[np.arange(SIZE[1]) * len(values) // SIZE[1]]
        self.save(name, np.broadcast_to(stripes, (SIZE[0], *stripes.shape)))

    def save(self, name: str, pixels: np.ndarray) -> None:
        """Write an image file of the kind that its suffix names."""
        Image.fromarray(np.ascontiguousarray(pixels)).save(self._path(name))

    def write(self, name: str, content: str | bytes) -> None:
        """Write a text or bytes."""
        self._path(name).write_bytes(content.encode() if isinstance(content, str) else content)

    def _path(self, name: str) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path


def loveda(root: Path) -> None:
    """LoveDA: subset, then scene, then images_png and masks_png; 0 is no data, 1 to 7 classes; no masks in Test."""
    tree = Tree(root)
    for subset, scene, name in (("Train", "Rural", 0), ("Train", "Urban", 1366), ("Val", "Rural", 2522)):
        tree.image(f"{subset}/{scene}/images_png/{name}.png")
        tree.mask(f"{subset}/{scene}/masks_png/{name}.png", [0, 1, 2, 7])
    tree.image("Test/Rural/images_png/4191.png")


def drive(root: Path) -> None:
    """DRIVE: TIFF images, vessels as GIF of 0 and 255 in 1st_manual/, and the field of view in mask/."""
    tree = Tree(root)
    for number in (21, 22):
        tree.image(f"training/images/{number}_training.tif")
        tree.mask(f"training/1st_manual/{number}_manual1.gif", [0, 255])
        tree.mask(f"training/mask/{number}_training_mask.gif", [0, 255, 0])
    tree.image("test/images/01_test.tif")
    tree.mask("test/mask/01_test_mask.gif", [0, 255, 0])


def kvasir_seg(root: Path) -> None:
    """Kvasir-SEG: the masks are JPEG files of three channels, white on black."""
    tree = Tree(root)
    for name in ("cju0qkwl35piu0993l0dewei2", "cju0qoxqj9q6s0835b43399p4"):
        tree.image(f"images/{name}.jpg")
        tree.mask(f"masks/{name}.jpg", [(0, 0, 0), (255, 255, 255)])
    tree.write("kavsir_bboxes.json", "{}")


DEEPGLOBE = {
    "urban_land": (0, 255, 255),
    "agriculture_land": (255, 255, 0),
    "rangeland": (255, 0, 255),
    "forest_land": (0, 255, 0),
    "water": (0, 0, 255),
    "barren_land": (255, 255, 255),
    "unknown": (0, 0, 0),
}


def class_dict(colours: dict[str, tuple[int, int, int]]) -> str:
    """Return the content of a class_dict.csv."""
    return lines("name,r,g,b", *(f"{name},{r},{g},{b}" for name, (r, g, b) in colours.items()))


def deepglobe(root: Path) -> None:
    """DeepGlobe Land Cover: 1_sat.jpg beside 1_mask.png in colours; valid/ and test/ have no masks."""
    tree = Tree(root)
    for number in (119, 266, 606):
        tree.image(f"train/{number}_sat.jpg")
        tree.mask(f"train/{number}_mask.png", list(DEEPGLOBE.values()))
    tree.image("valid/908_sat.jpg")
    tree.image("test/1901_sat.jpg")
    tree.write("class_dict.csv", class_dict(DEEPGLOBE))
    tree.write(
        "metadata.csv", "image_id,split,sat_image_path,mask_path\n119,train,train/119_sat.jpg,train/119_mask.png\n"
    )


def open_earth_map(root: Path) -> None:
    """OpenEarthMap: images/ and labels/ in a folder for each region; 0 is unknown, 1 to 8 classes; lists of names."""
    tree = Tree(root)
    for region in ("aachen", "tokyo"):
        for number in (1, 2, 3):
            tree.image(f"{region}/images/{region}_{number}.tif")
            tree.mask(f"{region}/labels/{region}_{number}.tif", [0, 1, 8])
    for number, subset in enumerate(("train", "val", "test"), start=1):
        tree.write(f"{subset}.txt", lines(f"aachen_{number}.tif", f"tokyo_{number}.tif"))


def oxford_pet(root: Path) -> None:
    """Oxford-IIIT Pet: trimaps with 1 pet, 2 background, 3 border, two levels below annotations/; ._ files of macOS."""
    tree = Tree(root)
    for name in ("Abyssinian_1", "beagle_10"):
        tree.image(f"images/{name}.jpg")
        tree.mask(f"annotations/trimaps/{name}.png", [2, 3, 1])
        tree.write(f"annotations/trimaps/._{name}.png", b"\0\5\x16\7")
    tree.write("annotations/xmls/Abyssinian_1.xml", "<annotation/>")
    tree.write("annotations/trainval.txt", "Abyssinian_1 1 1 1\n")
    tree.write("annotations/test.txt", "beagle_10 5 2 1\n")


def ade20k(root: Path) -> None:
    """ADE20K scene parsing: training and validation inside images/ and annotations/; 0 is other, 1 to 150 classes."""
    tree = Tree(root)
    for subset, short, count in (("training", "train", 3), ("validation", "val", 1)):
        for number in range(1, count + 1):
            tree.image(f"images/{subset}/ADE_{short}_{number:08}.jpg")
            tree.mask(f"annotations/{subset}/ADE_{short}_{number:08}.png", [0, 1, 150])
    tree.write("objectInfo150.txt", "Idx\tRatio\tTrain\tVal\tStuff\tName\n1\t0.1576\t11664\t1172\t1\twall\n")
    tree.write("sceneCategories.txt", "ADE_train_00000001 airport_terminal\n")


CAMVID = {"Animal": (64, 128, 64), "Road": (128, 64, 128), "Sky": (128, 128, 128), "Void": (0, 0, 0)}


def camvid(root: Path) -> None:
    """CamVid as most courses have it: train/ with train_labels/, colours in files that end in _L, class_dict.csv."""
    tree = Tree(root)
    for subset, name in (("train", "0001TP_006690"), ("val", "0016E5_07959"), ("test", "Seq05VD_f00000")):
        tree.image(f"{subset}/{name}.png")
        tree.mask(f"{subset}_labels/{name}_L.png", list(CAMVID.values()))
    tree.write("class_dict.csv", class_dict(CAMVID))


def rellis(root: Path) -> None:
    """RELLIS-3D: a folder for each drive, with images, colour masks and masks of ids with gaps; lists of paths."""
    tree = Tree(root)
    rows = []
    for drive_name, frame in (("00000", "frame000000-1581624652_750"), ("00004", "frame000010-1581798001_404")):
        tree.image(f"{drive_name}/pylon_camera_node/{frame}.jpg")
        tree.mask(f"{drive_name}/pylon_camera_node_label_id/{frame}.png", [0, 3, 7, 34])
        tree.mask(f"{drive_name}/pylon_camera_node_label_color/{frame}.png", [(0, 0, 0), (0, 102, 0), (0, 0, 255)])
        tree.write(f"{drive_name}/poses.txt", "")
        rows.append(f"{drive_name}/pylon_camera_node/{frame}.jpg {drive_name}/pylon_camera_node_label_id/{frame}.png")
    tree.write("train.lst", lines(rows[0]))
    tree.write("val.lst", lines(rows[1]))


def lunar(root: Path) -> None:
    """Artificial Lunar Landscape: render0001.png with masks in shades of red, green and blue, or clean ones."""
    tree = Tree(root)
    colours = [(0, 0, 0), (255, 0, 0), (0, 255, 0), (0, 0, 255)]
    shades = [(0, 0, 0), (255, 0, 0), (0, 212, 0), (0, 0, 97), (0, 0, 255)]
    for number in ("0001", "0002"):
        tree.image(f"images/render/render{number}.png")
        tree.mask(f"images/ground/ground{number}.png", shades)
        tree.mask(f"images/clean/clean{number}.png", colours)
    tree.image("real_moon_images/PCAM1.png")
    tree.mask("real_moon_images/g_PCAM1.png", colours)
    tree.write("bounding_boxes.csv", "Frame,TopLeftCornerX,TopLeftCornerY,Length,Height\n1,1,1,4,4\n")


def roboflow(root: Path) -> None:
    """Roboflow's semantic masks: a.jpg beside a_mask.png and _classes.csv, in train/, valid/ and test/."""
    tree = Tree(root)
    for subset, name in (("train", "a_jpg.rf.0cd1"), ("valid", "b_jpg.rf.84be"), ("test", "c_jpg.rf.99a0")):
        tree.image(f"{subset}/{name}.jpg")
        tree.mask(f"{subset}/{name}_mask.png", [0, 1, 2])
        tree.write(f"{subset}/_classes.csv", lines("Pixel Value, Class", "0, background", "1, rock", "2, sand"))
    tree.write("README.roboflow.txt", "Exported on ...")


def cloud38(root: Path) -> None:
    """38-Cloud: each band in a folder of its own, 16 bits, names that begin with the band; clouds are 255."""
    tree = Tree(root)
    for number in (1, 2):
        patch = f"patch_{number}_1_by_{number}_LC08_L1TP_002054_20160520_20170324_01_T1.TIF"
        for band in ("red", "green", "blue", "nir"):
            tree.image(f"38-Cloud_training/train_{band}/{band}_{patch}", grey=True, depth=np.uint16)
        tree.mask(f"38-Cloud_training/train_gt/gt_{patch}", [0, 255])
    tree.write("38-Cloud_training/training_patches_38-Cloud.csv", "name\npatch_1_1_by_1_LC08\n")
    tree.image("38-Cloud_test/test_red/red_patch_1_1_by_1_LC08.TIF", grey=True, depth=np.uint16)


def decathlon(root: Path) -> None:
    """Medical Segmentation Decathlon: volumes as NIfTI files, and dataset.json."""
    tree = Tree(root)
    tree.write("imagesTr/la_003.nii.gz", gzip.compress(bytes(352)))
    tree.write("labelsTr/la_003.nii.gz", gzip.compress(bytes(352)))
    tree.write("imagesTs/la_001.nii.gz", gzip.compress(bytes(352)))
    tree.write("dataset.json", json.dumps({"labels": {"0": "background", "1": "left atrium"}, "numTraining": 1}))


def supervisely(root: Path) -> None:
    """Supervisely: img/ and ann/ of each data set, a JSON for each image with drawn bitmaps; meta.json."""
    tree = Tree(root)
    data = base64.b64encode(zlib.compress(b"\x89PNG")).decode()
    bitmap = {"geometryType": "bitmap", "classTitle": "rock", "bitmap": {"data": data, "origin": [1, 1]}}
    for name in ("a.png", "b.png"):
        tree.image(f"ds0/img/{name}")
        size = {"height": SIZE[0], "width": SIZE[1]}
        tree.write(f"ds0/ann/{name}.json", json.dumps({"description": "", "size": size, "objects": [bitmap]}))
    tree.write("meta.json", json.dumps({"classes": [{"title": "rock", "shape": "bitmap", "color": "#FF0000"}]}))


def cell_tracking(root: Path) -> None:
    """Cell Tracking Challenge: 01/t000.tif, and some of them in 01_GT/SEG/man_seg000.tif, a 16-bit number per cell."""
    tree = Tree(root)
    for number in ("000", "001", "002"):
        tree.image(f"01/t{number}.tif", grey=True)
        tree.mask(f"01_GT/TRA/man_track{number}.tif", [0, 1, 7], np.uint16)
    for number in ("000", "002"):
        tree.mask(f"01_GT/SEG/man_seg{number}.tif", [0, 1, 300], np.uint16)
