"""Read the JSON files of labelme (Wada, github.com/wkentaro/labelme) beside the images."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from marsseg_core.plugin_api import SUFFIXES, VOID, refuse_file

from ..class_file import ClassFile
from ..json_file import read_json
from ..labelme_shapes import ShapeError, draw_shape
from .base import Found, Item, Wanted
from .pairing import by_key, subset_and_place
from .polygons import Ids
from .walk import is_picture, list_folder, some_names, subfolders
from .words import common_subset, meaning_of

LOOKS_FOR: Final = "a.json beside a.jpg, as labelme writes it"

# labelme stores the image in the file too, in base64.
_MAX_BYTES: Final = 2**29


def recognises(root: Path) -> bool:
    """Return whether the first folder with images has a .json file for one of them."""
    for _, names in some_names(root):
        images = {Path(name).stem for name in names if is_picture(name)}
        if images:
            return any(name.lower().endswith(".json") and Path(name).stem in images for name in names)
    return False


def find(root: Path, wanted: Wanted) -> Found:
    """Pair the images with the .json files of their names. The files are read for the names of the classes."""
    listing = list_folder(root, suffixes=(*SUFFIXES, ".json"))
    image_of = by_key([path for path in listing.files if is_picture(path.name)], root)
    json_of = by_key([path for path in listing.files if not is_picture(path.name)], root)
    keys = [key for key in image_of if key in json_of]
    names: set[str] = set()
    if wanted.names is None:
        for key in keys:
            names.update(_label(json_of[key], shape) for shape in _shapes(json_of[key], wanted.pixel_limit)[0])
    ids = Ids(wanted.names, sorted(names))
    subsets = common_subset([path.name for path in subfolders(root)]) and all("/" in key for key in image_of)
    items = []
    for key in keys:
        word, place = subset_and_place(key, subsets)
        name = image_of[key].relative_to(root).as_posix()
        items.append(Item(image_of[key], json_of[key], name, place, meaning_of(word).subset if word else ""))
    unpaired = {
        "image has no .json file": [image_of[key] for key in image_of if key not in json_of],
        ".json file has no image": [json_of[key] for key in json_of if key not in image_of],
    }
    outside = "background" if ids.outside != VOID else "void"
    return Found(
        items,
        f"later shapes over earlier ones; what no shape covers is {outside}",
        unpaired,
        listing.left_out,
        classes=ClassFile(ids.names),
        draw=partial(_draw, ids, wanted.pixel_limit),
    )


def _draw(ids: Ids, limit: int, image: Path, path: Path) -> np.ndarray:
    """Return the mask (H, W) of an image: its shapes in their order, later ones over earlier ones."""
    shapes, size = _shapes(path, limit)
    mask = np.full(size, ids.outside, np.uint8)
    for number, shape in enumerate(shapes, start=1):
        label = _label(path, shape)
        try:
            mask[draw_shape(shape, size)] = ids(path, label)
        except ShapeError as cause:
            refuse_file(path, f"Shape {number} ({label}) cannot be drawn: {cause}.")
    return mask


def _shapes(path: Path, limit: int) -> tuple[list[dict[str, Any]], tuple[int, int]]:
    """Return the shapes of a file, and the size (H, W) of its image."""
    content = read_json(path, _MAX_BYTES)
    shapes = content.get("shapes") if isinstance(content, dict) else None
    if not isinstance(shapes, list) or not all(isinstance(shape, dict) for shape in shapes):
        refuse_file(path, "This is not a labelme file: it has no list of shapes.")
    size = (content.get("imageHeight"), content.get("imageWidth"))
    if not all(type(length) is int and length > 0 for length in size) or size[0] * size[1] > limit:
        refuse_file(path, f"It has no imageHeight and imageWidth, or more pixels than the limit of {limit:,}.")
    return shapes, size


def _label(path: Path, shape: dict[str, Any]) -> str:
    label = shape.get("label")
    if not isinstance(label, str) or not label:
        refuse_file(path, "A shape has no label.")
    return label
