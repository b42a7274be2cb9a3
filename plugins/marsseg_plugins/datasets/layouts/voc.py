"""Read the layout of PASCAL VOC (Everingham et al. 2010), and what other tools write in it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from marsseg_core.plugin_api import SUBSET_WORDS, SUBSETS, VOID, refuse_file

from ..class_file import ClassFile
from ..text_file import file_text
from .base import Found, Item, Wanted
from .pairing import NO_IMAGE, by_key
from .walk import list_folder, merged

LOOKS_FOR: Final = (
    "JPEGImages/ and SegmentationClass/, and ImageSets/Segmentation/train.txt and so on, as in PASCAL VOC"
)

_MAX_BYTES: Final = 2**28
_NAMES: Final = (
    *("background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow"),
    *("diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor"),
)


def voc_colour(index: int) -> tuple[int, int, int]:
    """Return a colour of VOC's palette: the bits of the index, dealt out to red, green and blue, highest first.

    >>> voc_colour(1), voc_colour(2), voc_colour(255)
    ((128, 0, 0), (0, 128, 0), (224, 224, 192))
    """
    red, green, blue = (
        sum((index >> (3 * step + channel) & 1) << (7 - step) for step in range(3)) for channel in range(3)
    )
    return red, green, blue


CLASSES: Final = ClassFile(
    _NAMES,
    {voc_colour(index): index for index in range(len(_NAMES))} | {voc_colour(VOID): VOID},
    indices=True,
)


def recognises(root: Path) -> bool:
    """Return whether there are the two folders of VOC."""
    return (root / "JPEGImages").is_dir() and (root / "SegmentationClass").is_dir()


def find(root: Path, wanted: Wanted) -> Found:
    """Pair images and masks by their names. The lists of ImageSets/Segmentation give the subsets."""
    images, masks = list_folder(root / "JPEGImages"), list_folder(root / "SegmentationClass")
    image_of = by_key(images.files, root / "JPEGImages")
    mask_of = by_key(masks.files, root / "SegmentationClass")
    subset_of, lists = _subsets(root)
    names = [key for key in image_of if key in mask_of]
    order = {subset: number for number, subset in enumerate((*SUBSETS, ""))}
    items = [
        Item(image_of[key], mask_of[key], image_of[key].name, subset=subset_of.get(key, ""))
        for key in sorted(names, key=lambda key: order[subset_of.get(key, "")])
    ]
    without = [key for key in image_of if key not in mask_of]
    unlabelled = [image_of[key] for key in without if subset_of.get(key) == "test"]
    others = [image_of[key] for key in without if subset_of.get(key) != "test"]
    left_out = merged(images.left_out, masks.left_out, {"without a mask": others} if others else {})
    unpaired = {NO_IMAGE: [mask_of[key] for key in mask_of if key not in image_of]}
    split = f", with the subsets of {', '.join(path.name for path in lists)}" if lists else ", without subsets"
    what = f"JPEGImages/ with SegmentationClass/{split}"
    return Found(items, what, unpaired, left_out, unlabelled, CLASSES, lists)


def _subsets(root: Path) -> tuple[dict[str, str], list[Path]]:
    """Return the subset of each image in a list, and the lists. Without train, it is the rest of trainval."""
    folder = root / "ImageSets" / "Segmentation"
    lists = {path.stem: path for path in sorted(folder.glob("*.txt"))} if folder.is_dir() else {}
    chosen = {SUBSET_WORDS[stem]: path for stem, path in lists.items() if stem in SUBSET_WORDS}
    subset_of: dict[str, str] = {}
    for subset, path in chosen.items():
        for name in _stems(path):
            if subset_of.setdefault(name, subset) != subset:
                refuse_file(path, f"{name} is in this list and in that of the subset {subset_of[name]}.")
    if "train" not in chosen and "trainval" in lists:
        chosen["train"] = lists["trainval"]
        for name in _stems(lists["trainval"]):
            subset_of.setdefault(name, "train")
    return subset_of, list(chosen.values())


def _stems(path: Path) -> list[str]:
    lines = file_text(path, "list of images", _MAX_BYTES).splitlines()
    return [line.split()[0] for line in lines if line.strip()]
