"""Read COCO's JSON (Lin et al. 2014): polygons and run lengths of all images in one file for each subset."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np

from marsseg_core.plugin_api import SUBSET_WORDS, SUBSETS, VOID, refuse_file

from ..class_file import ClassFile
from ..coco_file import CocoFile, CocoImage, read_coco
from ..coco_masks import SegmentationError, draw_segmentation
from .base import Found, Item, Wanted
from .polygons import Ids
from .walk import list_folder, merged, subfolders, within

LOOKS_FOR: Final = (
    "a COCO .json file, annotations/instances_train.json and so on with the images in train/ or images/, or "
    "_annotations.coco.json beside the images"
)

_NAMES: Final = re.compile(r"(.*\.)?_?(annotations?|instances|coco|labels)([_.\-].*)?\.json", re.IGNORECASE)

# The name of an image for messages, its file of annotations and what that has for it, by the files of its item.
_Images: TypeAlias = dict[tuple[Path, Path], tuple[str, CocoFile, CocoImage]]


def recognises(root: Path) -> bool:
    """Return whether this is a .json file, or a folder with one whose name is usual for COCO's."""
    return bool(_files(root))


def find(root: Path, wanted: Wanted) -> Found:
    """List the images of all files of annotations, subset by subset."""
    files = _files(root)
    if not files:
        refuse_file(root, "There is no COCO .json file.", hint=f"It is found as {LOOKS_FOR}.")
    sources = [(read_coco(path, wanted.pixel_limit), _subset(path) if len(files) > 1 else "") for path in files]
    sources.sort(key=lambda source: (*SUBSETS, "").index(source[1]))
    _check(root, sources)
    ids = Ids(wanted.names, list(sources[0][0].names.values()))
    items, missing = [], []
    others: dict[str, list[Path]] = {}
    image_of: _Images = {}
    for source, subset in sources:
        folder = _folder(root, source, wanted.images)
        paths = {folder / image.file_name: image for image in source.images}
        for path, image in paths.items():
            if not os.path.isfile(path):  # Path.is_file raises for a name that is too long
                missing.append(path)
                continue
            name = f"{subset}/{image.file_name}" if subset else image.file_name
            items.append(Item(path, source.path, name, image.file_name.rpartition("/")[0], subset))
            image_of[path, source.path] = (name, source, image)
        listing = list_folder(folder)
        others = merged(others, {"not in the .json file": [path for path in listing.files if path not in paths]})
    empty = sum(not image.annotations for _, _, image in image_of.values())
    verb = "has" if empty == 1 else "have"
    outside = "void" if ids.outside == VOID else "background"
    return Found(
        items,
        f"smaller annotations over larger ones; what none covers is {outside}",
        {"image of the .json file does not exist": missing},
        others,
        classes=ClassFile(ids.names),
        draw=partial(_draw, image_of, ids),
        remarks=[f"{empty:,} of {len(items):,} images {verb} no annotation, and so only {outside}."] if empty else [],
    )


def _files(root: Path) -> list[Path]:
    """Return the files of annotations: the file itself, those of annotations/, or those beside the images."""
    if root.is_file():
        return [root] if root.suffix.lower() == ".json" else []
    for folders in ([root / "annotations"], [root, *subfolders(root)]):
        files = [
            path
            for folder in folders
            if folder.is_dir()
            for path in sorted(folder.glob("*.json"))
            if _NAMES.fullmatch(path.name)
        ]
        # The release has captions and key points beside the instances.
        if files:
            return [path for path in files if path.name.startswith("instances")] or files
    return []


def _subset(path: Path) -> str:
    """Return the subset that the name of a file says, as in instances_train2017.json, or else that of its folder."""
    words = [*re.findall(r"[a-z]+", path.stem.lower()), path.parent.name.lower()]
    return next((SUBSET_WORDS[word] for word in words if word in SUBSET_WORDS), "")


def _check(root: Path, sources: Sequence[tuple[CocoFile, str]]) -> None:
    """Raise RequestError if two files are of the same subset, or have different categories."""
    for (source, subset), (other, its_subset) in pairwise(sources):
        if subset == its_subset:
            refuse_file(
                root,
                f"{source.path.name} and {other.path.name} are of the same subset.",
                hint=f"Pass the file that is meant, as in --data {source.path}.",
            )
        if source.names != other.names:
            refuse_file(
                root,
                f"{source.path.name} and {other.path.name} have different categories.",
                hint=f"Pass one of them, as in --data {source.path}.",
            )


def _folder(root: Path, source: CocoFile, images: str | None) -> Path:
    """Return the folder that the names of images are relative to: the first usual one that has one of the first."""
    path = source.path
    top = root if root.is_dir() else path.parent.parent if path.parent.name == "annotations" else path.parent
    word = path.stem.removeprefix("instances_").removeprefix("annotations_")
    usual = [path.parent, path.parent / "images", top / "images" / word, top / word, top / "images", top]
    candidates = usual if images is None else [top / images]
    names = [image.file_name for image in source.images]
    folder = next((at for at in candidates if any(os.path.isfile(at / name) for name in names[:3])), None)
    if folder is None:
        places = ", ".join(dict.fromkeys(f"{within(top, at)}/" for at in candidates))
        what = f"Its images are not in {places}; the first is called {names[0] if names else '?'}."
        refuse_file(path, what, hint="Name their folder, as in images=photos.")
    return folder


def _draw(image_of: _Images, ids: Ids, path: Path, annotations: Path) -> np.ndarray:
    """Return the mask (H, W) of an image: larger annotations first; of two as large, that with the lower id first."""
    name, source, image = image_of[path, annotations]
    drawn = []
    for annotation in image.annotations:
        number = annotation.get("id")
        try:
            pixels = draw_segmentation(annotation.get("segmentation"), image.size)
        except SegmentationError as cause:
            refuse_file(source.path, f"Annotation {number} of {name} cannot be drawn: {cause}.")
        order = number if type(number) is int else 0
        drawn.append((-int(pixels.sum()), order, annotation["category_id"], pixels))
    mask = np.full(image.size, ids.outside, np.uint8)
    for _, _, category, pixels in sorted(drawn, key=lambda one: one[:2]):
        mask[pixels] = ids(source.path, source.names[category])
    return mask
